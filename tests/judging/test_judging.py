"""Judging: strict parsing, votes, agreement, calibration; and the LLM reader."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.answer import AnswerInput
from membench.domain.case import opaque_ids
from membench.domain.errors import Reason, UsageError
from membench.domain.labels import Role
from membench.domain.outcome import Outcome
from membench.domain.score import JudgeRequest, Verdict
from membench.domain.system import Memory
from membench.judging.calibration import (
    CASE,
    Calibration,
    LabelledCandidate,
    calibration_set,
    reformatted,
    tallied,
    with_other_dates,
)
from membench.judging.judge import Judge, Judgement, Vote, agreement, combined
from membench.judging.official_prompts import official_prompts
from membench.llm.config import ModelSpec
from membench.llm.gateway import Gateway
from membench.llm.upstreams.scripted.rules import Request, Script, Text, contains
from membench.metrics.agreement import cohen_kappa
from membench.readers.llm.reader import LlmAnswer, LlmReader, ReadRequest
from membench.tasks.base import Task
from membench.tasks.card import JudgeCard
from membench.tasks.files.source import Source
from membench.tasks.registry import get_task
from membench.testing.scripted import Json, ReplyRule, ScriptedServer, ServerFault

Start = Callable[..., Gateway]
TASKS = (
    *("locomo", "longmemeval", "halumem", "persistbench"),
    *("beam", "convomem", "memgallery", "longmemeval_v2"),
)


def say(reply: Any) -> list[ReplyRule]:
    return [ReplyRule(lambda _: True, reply)]


def request(answer: str = "green tea", name: str = "q1") -> JudgeRequest:
    fields = {"question": "Which tea?", "gold": "green tea", "answer": answer}
    return JudgeRequest(name, "answer", fields)


async def calibrate(judge: Judge, known: Sequence[LabelledCandidate]) -> Calibration:
    """Ask a judge about every candidate, and count."""
    by_id = {each.request.id: each for each in known}
    jobs = ((CASE, each.request) for each in known)
    verdicts = [judgement.verdict async for judgement in judge.judge_all(jobs)]
    return tallied(judge.task, [(by_id[each.request_id], each) for each in verdicts])


def judged(gateway: Gateway, *requests: JudgeRequest, **options: Any) -> list[Judgement]:
    judge = Judge(gateway.client(), get_task("locomo")(), **options)

    async def run() -> list[Judgement]:
        jobs = [("case", each) for each in requests]
        return [each async for each in judge.judge_all(jobs)]

    return gateway.run(run())


def sample_set(name: str, per_rule: int = 5) -> tuple[Task[Any], list[LabelledCandidate]]:
    task = get_task(name)()
    cases = task.cases(Source(task.sample(), "sample"), opaque_ids(name, 0))
    return task, calibration_set(task, cases, per_rule)


class TestOneVerdict:
    def test_a_judge_is_asked_with_the_tasks_prompt_and_a_schema(self, start: Start) -> None:
        with ScriptedServer(say(Json({"reasoning": "same", "label": "CORRECT"}))) as server:
            (judgement,) = judged(start(base_url=server.base_url), request())
            sent = server.requests[-1]
        assert judgement.verdict == Verdict(
            "q1", Outcome(), {"reasoning": "same", "label": "CORRECT"}
        )
        assert judgement.usage.calls == 1
        assert judgement.end >= judgement.start
        assert "green tea" in sent.text
        assert sent.schema is not None
        assert sent.schema["properties"]["label"]["enum"] == ["CORRECT", "WRONG"]

    @pytest.mark.parametrize("reply", ["", "yes", '{"label": "MAYBE"}', '{"label": "COR'])
    def test_what_cannot_be_parsed_is_a_failure_and_never_a_score(
        self, start: Start, reply: str
    ) -> None:
        with ScriptedServer(say(Text(reply))) as server:
            (judgement,) = judged(start(base_url=server.base_url), request())
            assert server.calls == 3
        assert judgement.verdict.outcome == Outcome(False, Reason.JUDGE_UNPARSABLE)
        assert judgement.verdict.values == {}
        assert judgement.usage.calls == 3
        assert judgement.votes == (None,)

    def test_what_a_judge_said_instead_of_a_verdict_is_kept(self, start: Start) -> None:
        with ScriptedServer(say(Text("Yes, it is the same tea."))) as server:
            (judgement,) = judged(start(base_url=server.base_url), request())
        assert "Yes, it is the same tea." in judgement.detail

    def test_a_second_try_may_succeed(self, start: Start) -> None:
        def mumbling(asked: Request) -> Any:
            return Text("hm") if asked.number == 0 else Json({"label": "WRONG"})

        with ScriptedServer(say(mumbling)) as server:
            (judgement,) = judged(start(base_url=server.base_url), request())
        assert judgement.verdict.values["label"] == "WRONG"

    def test_an_endpoint_that_fails_is_a_judge_error(
        self, start: Start, upstream: ScriptedServer
    ) -> None:
        upstream.fail_next(ServerFault("error", status=401))
        (judgement,) = judged(start(), request())
        assert judgement.verdict.outcome == Outcome(False, Reason.JUDGE_ERROR)
        assert "401" in judgement.detail

    def test_longmemeval_wants_one_word_and_no_schema(self, start: Start) -> None:
        with ScriptedServer(say(Text("Yes."))) as server:
            gateway = start(base_url=server.base_url)
            judge = Judge(gateway.client(), get_task("longmemeval")())
            asked = replace(request(), kind="base")
            judgement = gateway.run(judge.judge("case", asked))
            assert "response_format" not in server.requests[-1].body
        assert judgement.verdict.values == {"label": "yes"}


def vote(label: str | None) -> Vote:
    return Vote(None, Reason.JUDGE_UNPARSABLE) if label is None else Vote({"label": label})


class TestVotes:
    def test_every_vote_is_a_call_of_its_own(self, start: Start) -> None:
        def wavering(asked: Request) -> Json:
            return Json({"label": "CORRECT" if asked.number % 3 else "WRONG"})

        with ScriptedServer(say(wavering)) as server:
            (judgement,) = judged(start(base_url=server.base_url), request(), votes=3)
        assert sorted(map(str, judgement.votes)) == ["CORRECT", "CORRECT", "WRONG"]
        assert judgement.verdict.values["label"] == "CORRECT"
        assert judgement.verdict.values["votes"] == {"WRONG": 1, "CORRECT": 2}

    @pytest.mark.parametrize(
        ("labels", "chosen"),
        [
            (("yes", "no", "no"), "no"),
            (("1", "3", "5"), "3"),
            (("2", "5"), "2"),
            (("no", "yes"), "no"),
            (("yes", None, "yes"), "yes"),
        ],
    )
    def test_labels_go_by_plurality_and_grades_by_the_median(
        self, labels: Sequence[str | None], chosen: str
    ) -> None:
        assert combined("q", [vote(label) for label in labels]).values["label"] == chosen

    @pytest.mark.parametrize("labels", [(), (None,), ("yes", None), ("yes", None, None)])
    def test_no_majority_of_usable_votes_is_a_failure(self, labels: Sequence[str | None]) -> None:
        assert not combined("q", [vote(label) for label in labels]).outcome.ok

    @given(st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=7))
    def test_the_verdict_is_one_of_the_votes(self, labels: list[str | None]) -> None:
        verdict = combined("q", [vote(label) for label in labels])
        assert not verdict.outcome.ok or verdict.values["label"] in labels


class TestSeveralJudges:
    def test_each_seat_is_its_own_model_and_the_second_tells_agreement(
        self, start: Start, tmp_path: Path
    ) -> None:
        strict = ReplyRule(lambda asked: asked.body["model"] == "strict", Json({"label": "WRONG"}))
        lenient = ReplyRule(lambda _: True, Json({"label": "CORRECT"}))
        requests = [request(name=f"q{n}") for n in range(4)]
        with ScriptedServer([strict, lenient]) as server:
            gateway = start(
                base_url=server.base_url,
                roles={Role.JUDGE: ModelSpec("lenient")},
                further_judges=(ModelSpec("strict"),),
            )
            verdicts = {
                seat: {
                    j.verdict.request_id: j.verdict for j in judged(gateway, *requests, seat=seat)
                }
                for seat in (0, 1)
            }
        (found,) = agreement(verdicts)
        assert (found.seats, found.n, found.agreed, found.kappa) == ((0, 1), 4, 0.0, 0.0)

    def test_kappa(self) -> None:
        assert cohen_kappa("aabb", "aabb") == 1
        assert cohen_kappa("aabb", "abab") == 0
        assert cohen_kappa("aaab", "aabb") == pytest.approx(0.5)
        assert cohen_kappa("aaaa", "aaaa") is None
        assert cohen_kappa("", "") is None

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
    def test_kappa_is_symmetric_and_at_most_one(self, pairs: list[tuple[str, str]]) -> None:
        one, other = zip(*pairs, strict=True)
        kappa = cohen_kappa(one, other)
        assert kappa == cohen_kappa(other, one) or kappa == pytest.approx(cohen_kappa(other, one))
        assert kappa is None or kappa <= 1


class TestCalibration:
    @pytest.mark.parametrize("name", TASKS)
    def test_every_task_has_a_set_with_right_and_wrong_candidates(self, name: str) -> None:
        task, known = sample_set(name)
        assert {each.right for each in known} == {True, False}
        assert len({each.request.id for each in known}) == len(known)
        for each in known:
            card = task.card.judges[each.request.kind]
            assert each.request.fields[card.candidate]
            assert set(card.accepts) <= set(card.labels)
            assert task.judge_messages(each.request)

    @pytest.mark.parametrize("name", TASKS)
    def test_a_lenient_judge_is_found_out(self, start: Start, name: str) -> None:
        task, known = sample_set(name)
        with ScriptedServer(Script(say(always_accept(task)))) as server:
            gateway = start(base_url=server.base_url)
            judge = Judge(gateway.client(), task)
            table = gateway.run(calibrate(judge, known)).to_json()
        assert table
        for kind in table.values():
            assert kind["failed"] == 0
            assert kind["false_accept"]["value"] in (None, 1.0)
            assert kind["false_reject"]["value"] in (None, 0.0)

    def test_a_judge_that_compares_words_is_right_where_it_can_be(self, start: Start) -> None:
        def compare(asked: Request) -> Json:
            parts = {
                tag: asked.text.partition(f"<{tag}>\n")[2].partition(f"\n</{tag}>")[0]
                for tag in ("gold", "answer")
            }
            return Json({"label": "CORRECT" if parts["gold"] in parts["answer"] else "WRONG"})

        task, known = sample_set("locomo")
        known = [each for each in known if each.request.kind == "answer"]
        with ScriptedServer(say(compare)) as server:
            gateway = start(base_url=server.base_url)
            table = gateway.run(calibrate(Judge(gateway.client(), task), known)).to_json()
        assert table["answer"]["false_accept"]["value"] == 0
        assert table["answer"]["rules"]["gold"]["accepted"] == table["answer"]["rules"]["gold"]["n"]
        low, high = table["answer"]["false_accept"]["ci95"]
        assert low <= 0 <= high

    def test_unparsable_verdicts_are_counted_apart(self, start: Start) -> None:
        task, known = sample_set("locomo", per_rule=1)
        with ScriptedServer(say(Text("hm"))) as server:
            gateway = start(base_url=server.base_url)
            table = gateway.run(calibrate(Judge(gateway.client(), task), known)).to_json()
        assert all(kind["false_accept"]["value"] is None for kind in table.values())
        assert sum(kind["failed"] for kind in table.values()) == len(known)

    def test_the_set_is_the_same_every_time(self) -> None:
        assert sample_set("locomo")[1] == sample_set("locomo")[1]

    def test_forms_and_dates(self) -> None:
        assert reformatted("on 7 May 2023").endswith("on May 7, 2023")
        assert with_other_dates("7 May 2023") == "10 October 2026"
        assert with_other_dates("green tea") == "green tea"


def always_accept(task: Task[Any]) -> Callable[[Request], Any]:
    """A judge that likes everything: the accepted label of whatever prompt it is shown."""

    def accept(asked: Request) -> Any:
        cards = [card for card in task.card.judges.values() if fits(card, asked)]
        label = cards[0].accepts[0]
        if cards[0].one_word:
            return Text(label)
        extra = {name: values[0] for name, values in cards[0].extra.items()}
        return Json({"reasoning": "fine", "label": label, **extra})

    def fits(card: JudgeCard, asked: Request) -> bool:
        start = task.prompt(card.prompt).partition("{")[0]
        return asked.text.startswith(start)

    return accept


class TestOfficialPrompts:
    TEXT = 'Judge {question} against {gold}: {answer}. Reply {{"label": ...}}'

    def card(self) -> Any:
        card = get_task("locomo").card
        sha = hashlib.sha256(self.TEXT.encode()).hexdigest()
        return replace(card, judges={"answer": replace(card.judges["answer"], official_sha256=sha)})

    def test_a_text_file_or_a_constant_of_a_python_file(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "judge.txt").write_text(self.TEXT + "\n")
        (tmp_path / "b.py").write_text(f"import nothing\nPROMPT = {self.TEXT!r}\n1 / 0\n")
        for path in (tmp_path, tmp_path / "a", tmp_path / "b.py"):
            assert official_prompts(self.card(), path) == {"answer": self.TEXT}

    def test_another_text_is_refused_with_the_hash_it_should_have(self, tmp_path: Path) -> None:
        (tmp_path / "judge.txt").write_text(self.TEXT + " Be generous.")
        with pytest.raises(UsageError, match="no text has the hash") as caught:
            official_prompts(self.card(), tmp_path)
        assert "answer = " in caught.value.remedy

    def test_a_task_without_any_and_a_missing_path(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no such file"):
            official_prompts(self.card(), tmp_path / "none")
        bare = replace(self.card(), judges={})
        with pytest.raises(UsageError, match="has no official judge prompts"):
            official_prompts(bare, tmp_path)

    def test_the_judge_uses_it(self, start: Start) -> None:
        with ScriptedServer(say(Json({"label": "CORRECT"}))) as server:
            gateway = start(base_url=server.base_url)
            (judgement,) = judged(gateway, request(), official={"answer": self.TEXT})
            sent = server.requests[-1]
        assert judgement.verdict.outcome.ok
        assert sent.text == 'Judge Which tea? against green tea: green tea. Reply {"label": ...}'
        assert sent.schema is None


def asked(question: str, event: int = 0, generation: int = 0) -> ReadRequest:
    memories = (Memory("Ada drinks green tea."),)
    return ReadRequest("case", event, generation, AnswerInput(question, memories, "2023-05-08"))


def read(gateway: Gateway, *asks: ReadRequest) -> list[LlmAnswer]:
    reader = LlmReader(gateway.client(), get_task("locomo")())

    async def run() -> list[LlmAnswer]:
        return [each async for each in reader.answer_all(asks)]

    return gateway.run(run())


class TestTheReader:
    def test_it_answers_with_the_tasks_prompt_temperature_and_length(self, start: Start) -> None:
        rule = ReplyRule(contains("Which tea", "Ada drinks green tea."), Text("green tea"))
        with ScriptedServer([rule]) as server:
            (answer,) = read(start(base_url=server.base_url), asked("Which tea?"))
            sent = server.requests[-1].body
        assert (answer.outcome, answer.text, answer.finish_reason) == (
            Outcome(),
            "green tea",
            "stop",
        )
        assert sent["temperature"] == get_task("locomo").card.answer_temperature
        assert answer.usage.prompt_tokens > 20

    def test_reasoning_is_not_part_of_the_answer(self, start: Start) -> None:
        with ScriptedServer(say(Text("<think>hm, tea</think>\ngreen tea"))) as server:
            (answer,) = read(start(base_url=server.base_url), asked("Which tea?"))
        assert answer.text == "green tea"

    def test_reasoning_that_never_ends_is_a_fault_and_not_a_wrong_answer(
        self, start: Start
    ) -> None:
        with ScriptedServer(say(Text("", finish_reason="length"))) as server:
            (answer,) = read(start(base_url=server.base_url), asked("Which tea?"))
        assert answer.outcome == Outcome(False, Reason.PROVIDER_BAD_REPLY)
        assert answer.text is None

    @pytest.mark.parametrize("thought", ["<think>hm, tea", "<|channel|>analysis<|message|>hm, tea"])
    @pytest.mark.parametrize("finish", ["length", "stop"])
    def test_a_thought_without_an_answer_is_a_fault(
        self, start: Start, thought: str, finish: str
    ) -> None:
        with ScriptedServer(say(Text(thought, finish_reason=finish))) as server:
            (answer,) = read(start(base_url=server.base_url), asked("Which tea?"))
        assert answer.outcome == Outcome(False, Reason.PROVIDER_BAD_REPLY)
        assert answer.detail

    def test_a_fault_fails_one_answer_and_no_other(
        self, start: Start, upstream: ScriptedServer
    ) -> None:
        upstream.fail_next(ServerFault("error", status=400))
        answers = read(start(), *(asked("Which tea?", event) for event in range(20)))
        assert sorted(answer.outcome.ok for answer in answers) == [False] + [True] * 19
        assert {answer.asked.event for answer in answers} == set(range(20))
        (failed,) = (answer for answer in answers if not answer.outcome.ok)
        assert failed.outcome.reason == Reason.PROVIDER_ERROR

    def test_generations_are_distinct_calls(self, start: Start) -> None:
        with ScriptedServer(say(lambda each: Text(f"draw {each.number}"))) as server:
            asks = [asked("Which tea?", 0, number) for number in range(3)]
            answers = read(start(base_url=server.base_url), *asks)
        assert len({answer.text for answer in answers}) == 3


def test_chaos_loses_no_question_and_types_every_failure(start: Start, tmp_path: Path) -> None:
    """A tenth of all requests suffers each kind of fault; a second pass completes the rest."""
    kinds = ("rate_limit", "error", "truncated", "reset", "wrong_usage")
    asks = [asked(f"Which tea {n}?", n) for n in range(60)]
    file = tmp_path / "c.sqlite"
    answers: dict[int, LlmAnswer] = {}
    with ScriptedServer(fault_rates=dict.fromkeys(kinds, 0.1), seed=3) as server:
        for _ in range(6):
            left = [each for each in asks if not is_answered(answers, each)]
            gateway = start(
                base_url=server.base_url,
                cassette=file,
                cassette_mode="record",
                roles={Role.READER: ModelSpec("m", attempts=2)},
            )
            answers |= {answer.asked.event: answer for answer in read(gateway, *left)}
            assert len(answers) == 60
            reasons = {a.outcome.reason for a in answers.values() if not a.outcome.ok}
            assert reasons <= set(Reason)
    assert all(answer.outcome.ok for answer in answers.values())
    quiet = start(cassette=file, cassette_mode="replay", roles={Role.READER: ModelSpec("m")})
    again = {answer.asked.event: answer.text for answer in read(quiet, *asks)}
    assert again == {event: answer.text for event, answer in answers.items()}


def is_answered(answers: dict[int, LlmAnswer], each: ReadRequest) -> bool:
    return each.event in answers and answers[each.event].outcome.ok
