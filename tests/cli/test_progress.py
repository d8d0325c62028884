"""Progress: slow stages have a rate and an estimate, and ingestion counts event by event."""

import pytest
import typer

from membench.cli import app
from membench.cli.output import console
from membench.cli.output.console import TerminalProgress, rate_text, set_verbosity, span_text
from membench.domain.errors import UsageError
from membench.harness.progress import LoggedProgress, NullProgress
from membench.harness.stages.followed import FollowedJournal

ROOT = typer.main.get_command(app)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    console.err.cache_clear()
    yield
    set_verbosity("normal")
    console.err.cache_clear()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_off_a_terminal_a_line_every_thirty_seconds_says_where_a_stage_is(capsys):
    clock = Clock()
    progress = TerminalProgress(clock)
    progress.stage("play", 100, "events")
    clock.now = 10.0
    progress.advance(5)
    assert capsys.readouterr().err == ""
    clock.now = 40.0
    progress.at("last ingest of case ab")
    progress.at("last ingest of case ab")
    assert capsys.readouterr().err == (
        "play: 5 of 100 events, 8.0 s each, about 13 min left, last ingest of case ab\n"
    )


def test_a_stage_that_has_done_nothing_has_no_estimate(capsys):
    clock = Clock()
    progress = TerminalProgress(clock)
    progress.stage("read", None, "answers")
    clock.now = 31.0
    progress.at("answer")
    assert capsys.readouterr().err == "read: 0 answers, none done yet, answer\n"


def test_a_stage_that_had_nothing_to_do_is_not_told_of(capsys):
    progress = TerminalProgress(Clock())
    for found in (0, 54):
        progress.stage("play", 54, "events")
        progress.found(found)
        progress.finish()
    assert capsys.readouterr().err == ""


def test_what_was_done_before_counts_as_reached_and_says_nothing_of_the_rate(capsys):
    clock = Clock()
    progress = TerminalProgress(clock)
    progress.stage("play", 100, "events")
    progress.found(90)
    clock.now = 40.0
    progress.advance(5)
    progress.finish()
    beat, end = capsys.readouterr().err.splitlines()
    assert beat == "play: 95 of 100 events, 8.0 s each, about 40 s left"
    assert end == "play: 5 events in 40.0 s (8.0 s each)"


@pytest.mark.parametrize(("found", "done", "left"), [(54, 0, False), (50, 4, True)])
def test_on_a_terminal_a_stage_that_had_nothing_to_do_leaves_no_bar(found, done, left, monkeypatch):
    from rich.console import Console

    screen = Console(force_terminal=True, width=80)
    with monkeypatch.context() as patch:
        patch.setattr(console, "err", lambda: screen)
        progress = TerminalProgress(Clock())
        progress.stage("play", 54, "events")
        bar = progress._bar
        progress.found(found)
        progress.advance(done)
        progress.finish()
    assert bar.live.transient is not left


def test_quiet_tells_nothing_and_verbose_every_place_once(capsys):
    for level, said in (("quiet", ""), ("verbose", "play: last ingest of case a\n")):
        set_verbosity(level)
        progress = TerminalProgress(Clock())
        progress.stage("play", 1, "events")
        progress.at("last ingest of case a")
        progress.at("last ingest of case a")
        assert capsys.readouterr().err == said


def test_rates_are_readable_when_slow():
    assert (rate_text(12.4), rate_text(0.05), rate_text(0)) == (
        "12/s",
        "20.0 s each",
        "none done yet",
    )


def test_time_left_is_in_the_unit_that_a_reader_would_take():
    assert [span_text(seconds) for seconds in (0.4, 179, 760, 3 * 3600, 90_000)] == [
        "0 s",
        "179 s",
        "13 min",
        "3.0 h",
        "25.0 h",
    ]


class Counted(NullProgress):
    def __init__(self) -> None:
        self.done, self.places = 0, []

    def advance(self, amount: int = 1) -> None:
        self.done += amount

    def at(self, place: str) -> None:
        self.places.append(place)


def test_records_count_as_they_are_appended_and_what_was_there_does_not(tmp_path):
    file = tmp_path / "play.jsonl"
    line = b'{"case": "a", "event": 0, "phase": "ingest"}\n'
    file.write_bytes(line)
    progress = Counted()
    followed = FollowedJournal(file, progress)
    with file.open("ab") as journal:
        journal.write(line + line[:9])
        journal.flush()
        followed.look()
        assert progress.done == 1
        journal.write(line[9:] + b'{"note": "late call"}\n{"torn\n')
        journal.flush()
        followed.look()
    assert progress.done == 2
    assert progress.places[-1] == "last ingest of case a"


def test_a_run_keeps_a_log_of_stages_and_notes(tmp_path):
    progress = LoggedProgress(NullProgress(), tmp_path / "run.log")
    progress.stage("play", 3, "events")
    progress.advance(3)
    progress.note("a lane died")
    progress.finish()
    said = [line.split(" ", 1)[1] for line in (tmp_path / "run.log").read_text().splitlines()]
    assert said == [
        "play: begins, 3 events in all",
        "note: a lane died",
        "play: ends after 3 events",
    ]


@pytest.mark.parametrize("command", ["run", "read", "judge", "suite"])
def test_whatever_takes_long_can_be_told_to_say_more_or_less(command):
    flags = {flag for each in ROOT.commands[command].params for flag in each.opts}
    assert {"--verbose", "--quiet"} <= flags


@pytest.mark.slow
def test_quiet_leaves_the_result_alone(tmp_path):
    from typer.testing import CliRunner

    words = "run --system recent --task locomo --split sample --limit 1 --energy none --quiet --out"
    done = CliRunner().invoke(app, [*words.split(), str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout
    assert done.stderr == ""


def test_more_and_less_at_once_is_refused():
    with pytest.raises(UsageError, match="--verbose and --quiet"):
        console.tell(verbose=True, quiet=True)
