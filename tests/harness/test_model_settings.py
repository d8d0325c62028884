"""`--model-set`: names and values are checked, and the guide names what there is."""

import re
from pathlib import Path

import pytest

from membench.cli.request import merge, model_assignments
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Role
from membench.harness.model_settings import ModelSettings, checked_settings
from membench.harness.prepare import prepare
from membench.harness.run_models import configured
from membench.llm.config import ModelSpec
from membench.records.spec import DETERMINING, ExecOptions, RunSpec, split_settings

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
