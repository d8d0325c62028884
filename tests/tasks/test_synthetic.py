"""The generator: frozen, free of leaks, and every answer follows from its evidence."""

from __future__ import annotations

import hashlib
import json
import re
import tracemalloc
from dataclasses import asdict, replace
from datetime import date, timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.domain.case import Ask, Case, Finalize, Ingest
from membench.domain.errors import DataError, UnknownName, UsageError
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.generation.draws import Draws
from membench.tasks.generation.match import holds, holds_any, words
from membench.tasks.generation.templates import render, sentence
from membench.tasks.registry import get_task
from membench.tasks.synthetic.dates import MONTHS, WEEKDAYS, long_date, spellings
from membench.tasks.synthetic.generate import Rates, Writer, make_case
from membench.tasks.synthetic.gold import CATEGORIES, UNANSWERABLE, SyntheticGold
from membench.tasks.synthetic.recipe import Recipe
from membench.tasks.synthetic.texts import FOLDER, event_kinds, slots
from membench.tasks.synthetic.values import ValueSupply, coined, cores, pools
from membench.testing.leaks import MARKER, leaks
from membench.tokens import count_tokens
from membench.tokens.stemmer import stem

SYNTHETIC = get_task("synthetic")
MINI = Recipe(cases=20, tokens=10_000, questions=10)
RATES = Rates(seed=0, update_rate=0.25, distractor_ratio=0.25)

FROZEN = {
    "sample": "66c4d3d1f81e4c93b56d71db691d7e8da88bbb8c69f98b4a57fb106f2b48e3fd",
    "mini": "b22071403ec83edae12f64d4310f0b0945af1cd5fc9bae689026aba7b68cffcf",
    "base": "1b102a90d6b2a5075bac81df16537b904604c24a40ba105729fef2f913fa872c",
    "long": "881aa7cd2d38fca0efdb1908d064c88139a5b2090b1669de88204b2d58797621",
    "stream": "d50fb474ded19ddeacd9c2867978bd40d37019b1177bd51d7d7609ae5d2ac941",
}
"""SHA-256 of the first case of each split, gold included. A change of the generator is a new
version of it (`recipe.GENERATOR`), never a new hash here."""


def same(official: str) -> str:
    """An opaque id that says nothing."""
    return "opaque"


def made(index: int = 0, recipe: Recipe = MINI, rates: Rates = RATES) -> tuple[Case, SyntheticGold]:
    return make_case(recipe, rates, index, same)


def fingerprint(case: Case, gold: SyntheticGold) -> str:
    """Hash of everything a case says, gold included."""
    text = json.dumps([asdict(case), asdict(gold)], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def first_case(split: str) -> tuple[Case, SyntheticGold]:
    return next(iter(SYNTHETIC().cases(find_source(SYNTHETIC, split, None), same)))


@pytest.fixture(scope="module")
def mini() -> list[tuple[Case, SyntheticGold]]:
    return list(SYNTHETIC().cases(find_source(SYNTHETIC, "mini", None), same))


def history(case: Case) -> list:
    return [event.session for event in case.timeline if isinstance(event, Ingest)]


def questions(mini):
    """Every question with its words and the turns of its case."""
    for case, gold in mini:
        turns = case.turns()
        for event, question in gold.questions.items():
            yield case.timeline[event].question.text, question, turns, case


# --- frozen ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("split", ["sample", "mini", "base", "long", "stream"])
def test_the_generator_is_frozen(split):
    assert fingerprint(*first_case(split)) == FROZEN[split]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    assert fingerprint(*made(3)) == fingerprint(*made(3))
    assert fingerprint(*made(3)) != fingerprint(*made(3, rates=replace(RATES, seed=1)))


def test_no_case_depends_on_another(mini):
    assert fingerprint(*mini[7]) == fingerprint(*made(7))


def test_a_history_does_not_depend_on_what_is_asked():
    few, many = made(recipe=replace(MINI, questions=2)), made(recipe=replace(MINI, questions=30))
    assert history(few[0]) == history(many[0])
    assert few[1].points == many[1].points


def test_a_longer_history_begins_as_the_shorter_one():
    short, long = history(made()[0]), history(made(recipe=replace(MINI, tokens=30_000))[0])
    assert long[: len(short)] == short


def test_draws_are_made_of_the_one_stable_function():
    draws = Draws("a seed")
    assert [draws.below(1000) for _ in range(5)] == [397, 37, 765, 400, 873]
    assert sorted(Draws("x").shuffled(range(9))) == list(range(9))


# --- sizes -------------------------------------------------------------------------------------


def test_mini_has_two_hundred_thousand_tokens_in_twenty_cases(mini):
    sizes = [
        sum(count_tokens(turn.text) for session in history(case) for turn in session.turns)
        for case, _ in mini
    ]
    assert len(sizes) == 20
    assert 190_000 < sum(sizes) < 210_000
    assert min(sizes) > 9_000
    assert max(sizes) < 11_000


@pytest.mark.slow
def test_a_session_fits_into_a_small_window(mini):
    cases = [case for case, _ in mini] + [made(recipe=Recipe(1, 200_000, 10))[0]]
    sizes = [
        count_tokens("\n".join(turn.text for turn in session.turns))
        for case in cases
        for session in history(case)
    ]
    assert max(sizes) <= 600


def test_every_category_is_asked_in_every_split(mini):
    for split in ("base", "long"):
        _, gold = first_case(split)
        assert {q.category for q in gold.questions.values()} == set(CATEGORIES)
    asked = [question.category for _, question, _, _ in questions(mini)]
    assert len(asked) == 200
    assert {name: asked.count(name) for name in CATEGORIES} == dict(SYNTHETIC.card.counts)


def test_memory_does_not_grow_with_the_number_of_cases():
    """So that ten million tokens need no more than one case of them: here 12 of 20,000."""
    recipe = Recipe(cases=12, tokens=20_000, questions=10)
    made(recipe=recipe)
    tracemalloc.start()
    made(1, recipe)
    after_one = tracemalloc.get_traced_memory()[1]
    turns = sum(len(made(index, recipe)[0].turns()) for index in range(recipe.cases))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert turns > 5000
    assert peak < 2.5 * after_one


# --- nothing of the gold is public --------------------------------------------------------------


def test_no_private_name_reaches_a_lane():
    for split in ("sample", "mini"):
        for case, gold in islice(
            SYNTHETIC().cases(find_source(SYNTHETIC, split, None), lambda name: MARKER + name), 3
        ):
            assert gold.case_id not in ("", case.id)
            assert [path for path in leaks(case) if path != ".id"] == []


def test_ids_of_sessions_and_turns_say_only_where_they_stand(mini):
    for case, _ in mini:
        for number, session in enumerate(history(case), 1):
            assert session.id == f"S{number}"
            ids = [turn.id for turn in session.turns]
            assert ids == [f"S{number}:{place}" for place in range(1, len(ids) + 1)]


def test_a_question_holds_neither_its_answer_nor_a_decoy(mini):
    for text, question, _, _ in questions(mini):
        assert not holds_any(words(text), (*question.accepted, *question.decoys)), text


def test_the_timeline_is_the_history_then_the_questions(mini):
    for case, gold in mini:
        kinds = [type(event) for event in case.timeline]
        asked = len(gold.questions)
        assert kinds == [Ingest] * (len(kinds) - asked - 1) + [Finalize] + [Ask] * asked


def test_dates_rise_and_now_comes_after_them(mini):
    for case, _ in mini:
        times = [session.time for session in history(case)]
        assert times == sorted(set(times))
        assert case.timeline[-1].question.now > times[-1]


def test_ids_of_questions_are_unique(mini):
    ids = [question.question_id for _, question, _, _ in questions(mini)]
    assert len(set(ids)) == len(ids)


# --- every answer follows from its evidence ------------------------------------------------------


def test_the_evidence_of_what_was_told_says_it(mini):
    for text, question, turns, _ in questions(mini):
        if question.told and question.category != UNANSWERABLE:
            said = [words(turns[turn].text) for turn in question.evidence]
            assert any(holds_any(each, question.accepted) for each in said), text


def test_what_is_told_is_told_nowhere_else(mini):
    """So evidence is complete: outside it, only a later change may repeat an earlier value."""
    for text, question, turns, _ in questions(mini):
        if question.told and question.category not in (UNANSWERABLE, "temporal"):
            found = [t.id for t in turns.values() if holds_any(words(t.text), question.accepted)]
            assert found == [question.evidence[-1]], text


def test_what_was_replaced_is_not_said_after_what_replaced_it(mini):
    seen = 0
    for text, question, turns, _ in questions(mini):
        order = list(turns)
        for value in question.stale:
            last = max(order.index(t.id) for t in turns.values() if holds(words(t.text), value))
            assert last <= order.index(question.evidence[-1]), text
            seen += 1
    assert seen > 30


def test_an_earlier_value_is_supported_by_its_statement_and_its_end(mini):
    asked = [q for _, q, _, _ in questions(mini) if q.category == "temporal" and q.told]
    assert asked
    assert all(len(set(question.evidence)) == 2 for question in asked)


def told_day(text: str, said_on: date) -> date | None:
    """The day that a statement of an event means: an independent reading of the time phrases."""
    lowered = text.lower()
    numbers = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    if "this morning" in lowered or "earlier today" in lowered:
        return said_on
    if "yesterday" in lowered:
        return said_on - timedelta(days=1)
    if "two weeks ago" in lowered:
        return said_on - timedelta(days=14)
    if "a week ago" in lowered:
        return said_on - timedelta(days=7)
    for ago, number in enumerate(numbers, 2):
        if f"{number} days ago" in lowered:
            return said_on - timedelta(days=ago)
    for back in range(1, 15):
        day = said_on - timedelta(days=back)
        month = MONTHS[day.month - 1]
        if re.search(rf"the {day.day}\w\w of {month}\b|{month} {day.day}\b", text):
            return day
        if back < 7 and re.search(rf"(on|past) {WEEKDAYS[day.weekday()]}", text, re.IGNORECASE):
            return day
    return None


def test_dates_and_durations_follow_from_what_was_said(mini):
    seen = 0
    for text, question, turns, case in questions(mini):
        if question.told:
            continue
        times = {turn.id: s.time.date() for s in history(case) for turn in s.turns}
        days = [told_day(turns[turn].text, times[turn]) for turn in question.evidence]
        assert None not in days, [turns[turn].text for turn in question.evidence]
        if len(days) == 1:
            assert question.answer == long_date(days[0]), text
        else:
            assert question.answer == f"{abs((days[0] - days[1]).days)} days", text
        seen += 1
    assert seen > 20


def test_a_question_by_relation_is_supported_by_the_way_to_the_name(mini):
    for text, question, turns, _ in questions(mini):
        if question.category != "multi-hop":
            continue
        *links, fact = (turns[turn].text for turn in question.evidence)
        relations = re.findall(r"my ([\w ]+?)(?:'s ([\w ]+?))?(?:'s|\b)", text)
        assert relations, text
        assert len(links) in (1, 2)
        names = re.findall(r"[A-Z][a-z]+", links[-1])
        assert any(name in fact for name in names), (links, fact)


@pytest.mark.parametrize("index", range(5))
def test_what_cannot_be_answered_was_never_said(index):
    """Whoever is asked about has no such fact, in any turn that names them."""
    case, gold = made(index)
    for event, question in gold.questions.items():
        if question.category == UNANSWERABLE:
            assert question.evidence == ()
            text = case.timeline[event].question.text
            names = set(re.findall(r"[A-Z][a-z]+", text)) & set(cores("person"))
            about = [t for t in case.turns().values() if names & set(re.findall(r"\w+", t.text))]
            assert not any(holds_any(words(turn.text), question.decoys) for turn in about)


# --- the texts ---------------------------------------------------------------------------------

COMMON = set(
    words(
        "a an the of in at on for to by from with and or is am are was do does did has have had be "
        "been i me my you your he she it its they their them what which who where how when name "
        "now before one not no s would should could can there that this any some"
    )
)


def content(templates) -> set[str]:
    """Stems of the words of some templates that mean something."""
    bare = (re.sub(r"\{\w+\}|[()/\[\]|]", " ", template) for template in templates)
    return {stem(word) for text in bare for word in words(text) if word not in COMMON}


@pytest.mark.parametrize("slot", slots().values(), ids=lambda slot: slot.name)
def test_a_question_repeats_no_word_of_the_statements_it_asks_for(slot):
    assert content(slot.ask + slot.before) & content(slot.state + slot.update) == set()


@pytest.mark.parametrize("kind", event_kinds(), ids=lambda kind: kind.keys[0])
def test_an_event_is_asked_for_in_other_words(kind):
    assert content([kind.noun, kind.verb]) & content([kind.state]) == set()
    assert any(holds(words(kind.state), key) for key in kind.keys)


def test_what_changes_can_be_asked_for_as_it_was():
    assert all(slot.before for slot in slots().values() if slot.update and not slot.preference)
    assert all("{v}" in text for slot in slots().values() for text in (*slot.state, *slot.update))


def listed_values() -> list[tuple[str, ...]]:
    numbers = ("amount", "code", "relation", "link", "user")
    return [words(core) for pool in pools() if pool not in numbers for core in cores(pool)]


def test_no_value_is_another_or_part_of_another():
    values = listed_values()
    assert len(set(values)) == len(values)
    known = set(values)
    for value in values:
        parts = {value[i:j] for i in range(len(value)) for j in range(i + 1, len(value) + 1)}
        assert parts & known == {value}


def test_no_value_occurs_in_the_small_talk():
    known = set(listed_values())
    for name in ("small_talk", "distractors", "facts", "events", "time"):
        text = re.sub(r"[(){}\[\]/|]", " ", (FOLDER / f"{name}.toml").read_text())
        said = words(text)
        pairs = {said[i : i + n] for i in range(len(said)) for n in (1, 2)}
        assert pairs & known == set(), name


def test_names_of_users_are_nobody_elses():
    assert not set(cores("user")) & set(cores("person"))
    assert {name.lower() for name in cores("person")} <= coined()


def test_templates_render_for_the_user_and_for_others():
    draws = Draws("x")
    template = "{S} [have|has] {p} (one/one) here"
    assert render(template, draws, {"S": "I", "p": "my"}) == "I have my one here"
    assert render(template, draws, {"S": "Nadia", "p": "their"}) == "Nadia has their one here"
    assert sentence("so it is") == "So it is."
    assert sentence("is it?") == "Is it?"


@given(st.sampled_from(pools()), st.text(max_size=5))
def test_a_pool_gives_each_value_once_and_then_none(pool, seed):
    supply = ValueSupply(Draws(seed))
    number = min(len(cores(pool)), 60)
    taken = [supply.take(pool) for _ in range(number)]
    assert len({value.core for value in taken}) == number
    if number == len(cores(pool)):
        assert supply.take(pool) is None
    assert all(holds(words(value.text), value.core) for value in taken)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_every_spelling_of_a_date_names_its_day_and_year(day):
    for text in spellings(day):
        assert str(day.year) in text
        assert re.search(rf"\b0?{day.day}(st|nd|rd|th)?\b", text)


# --- options -----------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**31),
    st.sampled_from([0.0, 0.25, 1.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(1000, 12_000),
)
def test_any_rates_make_a_sound_case(seed, update_rate, distractor_ratio, tokens):
    case, gold = made(0, Recipe(1, tokens, 12), Rates(seed, update_rate, distractor_ratio))
    turns = case.turns()
    assert len(turns) == sum(len(session.turns) for session in history(case))
    for event, question in gold.questions.items():
        assert isinstance(case.timeline[event], Ask)
        assert set(question.evidence) <= turns.keys()
        assert bool(question.evidence) == (question.category != UNANSWERABLE)


def changes(rates: Rates) -> tuple[int, int]:
    """Points that replace another, and all points, of some cases."""
    points = [p for i in range(6) for ps in made(i, rates=rates)[1].points.values() for p in ps]
    return sum(point.replaces is not None for point in points), len(points)


def test_rates_do_what_they_say():
    assert changes(replace(RATES, update_rate=0.0))[0] == 0
    few, many = changes(replace(RATES, update_rate=0.1)), changes(replace(RATES, update_rate=0.6))
    assert few[0] / few[1] < many[0] / many[1]
    assert changes(replace(RATES, distractor_ratio=0.6))[1] < changes(RATES)[1]


def test_statements_end_before_a_story_does():
    """Where everything has been said, small talk goes on; nothing fails."""
    writer = Writer(Draws("long"), replace(RATES, distractor_ratio=0.0, update_rate=0.0))
    for number in range(1600):
        session = writer.session(number)
    assert session.turns


@pytest.mark.parametrize(
    "options", [{"update_rate": 1.5}, {"distractor_ratio": -0.1}, {"tokens": 10}, {"seed": 0.5}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=f"--task-set {next(iter(options))}"):
        SYNTHETIC(options)


def test_an_option_changes_the_data():
    source = find_source(SYNTHETIC, "sample", None)
    longer = next(iter(SYNTHETIC({"tokens": 6000}).cases(source, same)))[0]
    assert len(history(longer)) > len(history(first_case("sample")[0]))


# --- the recipe stands in for a file -------------------------------------------------------------


@pytest.mark.parametrize("split", ["mini", "base", "long", "stream"])
def test_every_split_is_there_without_any_data(split, monkeypatch, tmp_path):
    monkeypatch.delenv("MEMBENCH_DATA", raising=False)
    source = find_source(SYNTHETIC, split, tmp_path)
    assert SYNTHETIC.identify(source).name == "generated"
    assert SYNTHETIC.identify(source).warning == ""
    assert source == find_source(SYNTHETIC, split, None)


def test_the_default_split_is_mini(monkeypatch):
    monkeypatch.delenv("MEMBENCH_DATA", raising=False)
    assert find_source(SYNTHETIC, None, None).split == "mini"


def test_an_unknown_split_and_a_path_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(UnknownName):
        find_source(SYNTHETIC, "min", None)
    with pytest.raises(DataError, match="no such file"):
        find_source(SYNTHETIC, "mini", tmp_path / "nowhere")


def recipe_file(tmp_path, content) -> Source:
    path = tmp_path / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return find_source(SYNTHETIC, None, path)


def test_a_recipe_of_ones_own_is_marked_as_unknown(tmp_path):
    mine = {"generator": 1, "cases": 1, "tokens": 1000, "questions": 3}
    source = recipe_file(tmp_path, mine)
    assert SYNTHETIC.identify(source).name == "unknown"
    assert len(list(SYNTHETIC().cases(source, same))) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ([1], "expected an object"),
        ({}, "'generator' is missing"),
        ({"generator": 2}, "made for generator 2"),
        ({"generator": 1, "cases": 0, "tokens": 1000, "questions": 1}, "from 1 to"),
        ({"generator": 1, "cases": 1, "tokens": 10**9, "questions": 1}, "from 1000 to"),
        ({"generator": 1, "cases": 1, "tokens": "x", "questions": 1}, "tokens"),
    ],
)
def test_a_bad_recipe_is_refused_with_its_place(tmp_path, content, problem):
    with pytest.raises(DataError, match=re.escape(problem)):
        list(SYNTHETIC().cases(recipe_file(tmp_path, content), same))


def test_generated_histories_are_kept_only_if_they_are_small():
    task = SYNTHETIC()
    sizes = {s: task.content_bytes(find_source(SYNTHETIC, s, None)) for s in ("mini", "stream")}
    assert sizes["mini"] < 32 * 2**20 < sizes["stream"]
