"""`--model-set`: names and values are checked, and the guide names what there is."""

import re
import tomllib
from pathlib import Path

import pytest

from membench.cli.request import merge, model_assignments
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Role
from membench.experiments.plan import plan_of
from membench.harness.model_settings import ModelSettings, checked_settings
from membench.harness.prepare import prepare
from membench.harness.run import start as run_start
from membench.harness.run_models import configured, extras_of
from membench.llm.config import ModelSpec, Price
from membench.llm.prices import price_of
from membench.llm.upstreams.local.entry import GATEWAY_EXTRA
from membench.llm.upstreams.local.registry import get_local, local_models
from membench.records.spec import DETERMINING, ExecOptions, RunSpec, split_settings
from membench.testing.scripted import ScriptedServer

GUIDE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()


def settings_of(*flags):
    """Checked settings of `--model-set` flags."""
    return checked_settings(model_assignments("--model-set", flags), merge(None, {}).refuse)


def test_values_are_yaml_and_checked_by_type():
    given = ["timeout_s=60", "judge.temperature=0", "reader.price={prompt: 1e-6}"]
    assert settings_of(*given) == {
        "timeout_s": 60.0,
        "judge.temperature": 0.0,
        "reader.price": {"prompt": 1e-6, "completion": 0.0, "cached": None},
    }


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("timeout_s", UsageError, "expected"),
        ("reader.timeout_s=soon", UsageError, "reader.timeout_s=soon"),
        ("attempts=0", UsageError, "greater than or equal to 1"),
        ("timeout_s=.inf", UsageError, "finite number"),
        ("judge.temperature=.nan", UsageError, "judge.temperature=nan"),
        ("reader.price={prompt: .inf}", UsageError, "finite number"),
        ("reader.timeout=3", UnknownName, "timeout_s"),
        ("raeder.timeout_s=3", UnknownName, "reader"),
        ("reader.api_key=sk-12345678", UnknownName, "api_key_env"),
    ],
)
def test_what_is_not_a_setting_is_refused(given, error, words):
    with pytest.raises(error, match=re.escape(words)):
        settings_of(given)


def test_what_may_change_an_answer_is_part_of_the_spec_and_the_rest_is_not():
    settings = {"temperature": 0.0, "judge.extra": {"a": 1}, "judge.timeout_s": 3.0}
    request = merge(None, {"system": "bm25", "task": "locomo", "model_set": settings})
    spec, options = split_settings(settings)
    assert request.spec().model_set == spec == {"temperature": 0.0, "judge.extra": {"a": 1}}
    assert request.options().model_set == options == {"judge.timeout_s": 3.0}


def test_a_roles_own_setting_wins_over_that_of_every_role():
    spec = RunSpec(
        "bm25", "locomo", "sample", model_set={"temperature": 1.0, "judge.temperature": 0}
    )
    prepared = prepare(spec, ExecOptions(model_set={"judge.price": {"prompt": 2.0}}))
    judge, reader = (configured(prepared, r, ModelSpec("m")) for r in (Role.JUDGE, Role.READER))
    assert (judge.temperature, reader.temperature) == (0, 1.0)
    assert judge.price is not None and judge.price.prompt == 2.0
    assert reader.price is None


PRICE = {"prompt": 1.0, "completion": 4.0, "cached": None}
LOCAL = next(name for name, model in local_models().models.items() if not model.is_language_model)


@pytest.mark.parametrize(
    ("role", "model", "charged"),
    [
        (Role.READER, "my-model", True),
        (Role.MEMORY, "my-model", True),
        (Role.EMBEDDER, "my-embedder", True),
        (Role.EMBEDDER, "openai/text-embedding-3-small", False),
        (Role.EMBEDDER, LOCAL, False),
        (Role.READER, "gguf:any.gguf", False),
        (Role.JUDGE, "scripted", False),
    ],
)
def test_a_price_without_a_role_is_not_that_of_a_model_which_bills_nobody_or_has_its_own(
    role, model, charged
):
    prepared = prepare(RunSpec("bm25", "locomo", "sample"), ExecOptions(model_set={"price": PRICE}))
    spec = configured(prepared, role, ModelSpec(model))
    assert (spec.price == Price(1.0, 4.0)) is charged
    if not charged:
        assert price_of(spec) == price_of(ModelSpec(model))


def test_a_price_with_a_role_is_charged_for_whatever_fills_it():
    given = {"price": PRICE, "embedder.price": {"prompt": 2.0}}
    prepared = prepare(RunSpec("bm25", "locomo", "sample"), ExecOptions(model_set=given))
    for model in (LOCAL, "openai/text-embedding-3-small", "my-embedder"):
        assert configured(prepared, Role.EMBEDDER, ModelSpec(model)).price == Price(2.0)


@pytest.mark.slow
def test_a_run_with_a_local_embedder_bills_the_other_model_alone(tmp_path):
    """The gateway's meter charges what the plan says: nothing for what runs here."""
    spec = RunSpec("dense", "locomo", "sample", limit=1, reader="reads", embedder="scripted")
    with ScriptedServer() as server:
        options = ExecOptions(
            tmp_path, "one", base_url=server.base_url, model_set={"price": PRICE}, energy="none"
        )
        usage = run_start(spec, options).summary.costs.usage
        planned = {row.role: row.usd for row in plan_of(prepare(spec, options)).rows}
    roles = {role: part for phase in usage.values() for role, part in phase.roles.items()}
    assert roles[Role.EMBEDDER].embedding_tokens > 0
    assert roles[Role.EMBEDDER].usd == planned[Role.EMBEDDER] == 0
    assert roles[Role.READER].usd > 0


def test_a_flag_adds_to_the_settings_of_a_file(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text("system: bm25\ntask: locomo\nmodel_set: {attempts: 2, timeout_s: 9}\n")
    request = merge(file, {"model_set": {"attempts": 3}})
    assert request.options().model_set == {"attempts": 3, "timeout_s": 9.0}


def test_the_spec_file_of_the_guide_is_one(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    file = tmp_path / "spec.yaml"
    file.write_text(block)
    request = merge(file, {})
    assert set(request.spec().model_set) == {"reader.max_tokens", "judge.temperature"}
    assert "reader.price" in request.options().model_set


def test_the_guide_explains_every_setting_those_of_the_spec_first():
    table = GUIDE[GUIDE.index("| setting |") : GUIDE.index("The first eleven")]
    named = [
        name
        for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    ]
    assert set(named) == set(ModelSettings.model_fields)
    assert set(named[:11]) == set(DETERMINING)


@pytest.mark.parametrize(
    ("models", "extras"),
    [
        ({"reader": "my-model"}, ["llm"]),
        ({"reader": "scripted"}, ["llm"]),
        ({"reader": "gguf:any.gguf"}, ["local"]),
        ({"reader": "my-model", "embedder": LOCAL}, [get_local(LOCAL).extra]),
        ({"reader": "gguf:any.gguf", "embedder": LOCAL}, ["local", get_local(LOCAL).extra]),
    ],
    ids=str,
)
def test_the_extra_that_is_named_is_the_one_that_brings_what_the_models_run_on(models, extras):
    prepared = prepare(RunSpec("bm25", "locomo", "sample", **models), ExecOptions())
    assert extras_of(prepared) == extras


def test_every_extra_of_a_local_model_brings_the_gateway_too():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    wanted = project["project"]["optional-dependencies"]
    for model in local_models().models.values():
        assert model.extra == GATEWAY_EXTRA or f"membench[{GATEWAY_EXTRA}]" in wanted[model.extra]


def refusal(system, **changes):
    with pytest.raises(UsageError) as caught:
        prepare(RunSpec(system, "locomo", "sample", **changes), ExecOptions())
    return caught.value.problem, caught.value.remedy


def test_a_system_without_its_model_is_offered_the_local_one_before_a_stand_in():
    problem, remedy = refusal("dense")
    assert problem == "system 'dense' needs a model for the role 'embedder'"
    assert remedy.index(f"--embedder {LOCAL}") < remedy.index("--embedder scripted")
    assert "a stand-in that measures nothing" in remedy


def test_a_system_without_two_models_is_told_of_both_at_once():
    problem, remedy = refusal("mem0")
    assert problem == "system 'mem0' needs models for the roles 'memory' and 'embedder'"
    assert "--memory-model PROVIDER/NAME" in remedy and f"--embedder {LOCAL}" in remedy
    assert "`--memory-model scripted --embedder scripted`" in remedy
    problem, _ = refusal("mem0", embedder=LOCAL)
    assert problem == "system 'mem0' needs a model for the role 'memory'"


def test_a_division_leaves_no_choice_of_a_stand_in():
    _, remedy = refusal("mem0", division="tiny-local")
    assert remedy == "Division 'tiny-local' allows one: --memory-model smollm2."
