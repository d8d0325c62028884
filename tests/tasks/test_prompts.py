"""Prompts decide figures, so their wording is locked: a change here is a new version of them."""

import hashlib

import pytest

from membench.domain.errors import JudgeFault
from membench.tasks.prompts import verdict_fields, without_reasoning
from membench.tasks.registry import get_task

LOCKED = {
    "locomo": {
        "answer": "5c3c89ed3cd500c336e5ab3bc21d9d3689c64e9f9717a76ee7ccb2281b56afd8",
        "answer_options": "65c4068a89464c7727a2b6d8aba44d3a9e421baab1a24717efca4cb35b9b195e",
        "judge.answer": "b08240a51383670845ddcfa4245327632369219604380693f744af8f0ebfd0a3",
        "judge.refusal": "d7d700b65952f453c10663763594bedb664f5bc08dc21adcd4d9a25994a4ff61",
    },
    "longmemeval": {
        "answer": "ac4c1042e36b25de3b5691dba183d90cfbeb86c17a414388f85ff2d6459a4ced",
        "judge.abstention": "19fc4f89acb095458df2028c113eb308f334feddd144ac25085ba5d61e8cdad2",
        "judge.base": "f7ac6806e5796d7649c8407f445bbf49a658dd675969648590f5e636404da2ad",
        "judge.preference": "689c7d6842c154bba3680d576c8eac343fdae02744f0a4f9f84d003c8750e266",
        "judge.temporal": "eb1bd080b7dde1a585586d87002b48d60dc6799f65b8c812a5fcaeaec663a7bb",
        "judge.update": "bac25659d71c2aa93540cd4a0a0a3e5287e4f092a04c69598b2c99a7ceb1bc99",
    },
    "beam": {
        "answer": "b7c8dd955f1a6977c06baeba5534dc266fc60d606c627716de5fe55c598da97a",
        "judge.compliance": "d4522687cc96c5d5ea7fededd928b8ab141ca9004ce9d5e3f4db0a1e37492d66",
        "judge.item": "72500c27047f9956f89023434f6f8fa19c57837e69053c566b6bac09565e9926",
        "judge.refusal": "7023c07b92cbe1e3a3fc82a05496e6297a6b2c520ebce5837d93854c4bfda405",
        "judge.same_event": "61e8d998ce82c06bc42415a774bd836d5fb10f89860c2dd77ff38594ea2b57ff",
    },
    "convomem": {
        "answer": "a2c1d0d06ea7d8a31f71a372263acc470783c26bde55a6344a67722639985829",
        "judge.fact": "9d98006e1d9dfc53c63f702f7f42b653b0a23f404132f0d10b9b468fbd2114fa",
        "judge.preference": "e3f67c00a306806d618cc6aaa69760448b3b32e47e8f1097e8cbe87cbc3b14f1",
        "judge.refusal": "9b1f59f5d4923f77ebd45f5b503481e4d1c84552e8c0e7141bea4d4ecb5b4f13",
    },
    "longmemeval_v2": {
        "answer": "3019dd7f1930675a4531af96ffee85754d884aa83ee8c88b16fe558832ef3ad6",
        "judge.gotcha": "68af0fbf67e87d529782d03ad8602e9929bc513490596bb77b3f8560f4adf4fa",
        "judge.premise": "cf13cd9c47028793aeb78efab721ec57b6a5e19574dc6ba7196690ac5a67f176",
    },
    "memgallery": {
        "answer": "b9f2336f94afd47ea04b0f4a4e2bbc2229445da3b251f1363899b33240361190",
        "judge.answer": "bbd50d4e63910704041804b7ab88c0d88891264d0b071817d1e9055a984eb1d1",
        "judge.refusal": "c69e383d6368d8d6050d32ee33c0d184fc2cacadd8d2a6e71a51de39973dd6bb",
    },
    "memoryagentbench": {
        "answer": "8be5dc53ae1106c6d778c45aa20c43cd0779abcdd719195d477312cf5b685fdb",
    },
    "evo_memory": {
        "answer": "d1684dc8adb0449d4201e9cefa1dca4d9b5fa45db4caff65b0a7f3130ec241c2",
    },
    "task_stream": {
        "answer": "8e92a277837576bdc0e328d26c714362a743070787cd1ebcc098055a113b26cb",
    },
    "synthetic": {
        "answer": "9f7f8124dd38c60d5ac04a77756621cbe59b727b90068a556eefa3b5074fb88b",
    },
}


@pytest.mark.parametrize("task", LOCKED)
def test_prompts_are_locked(task):
    assert get_task(task)().prompt_hashes() == LOCKED[task]


@pytest.mark.parametrize("task", LOCKED)
def test_every_judge_prompt_holds_its_fields_once(task):
    card = get_task(task).card
    for judge in card.judges.values():
        text = get_task(task).prompt(judge.prompt)
        assert [text.count("{" + name + "}") for name in ("question", "gold", "answer")] == [1] * 3
        assert all(label.lower() in text.lower() for label in judge.labels)


def test_hashes_are_those_of_the_bytes():
    task = get_task("locomo")
    path = task.folder() / "prompts" / "answer.txt"
    assert task().prompt_hashes()["answer"] == hashlib.sha256(path.read_bytes()).hexdigest()


THOUGHT = "<|channel|>analysis<|message|>We need the street.<|end|>"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Quarry Lane", "Quarry Lane"),
        ("<think>perhaps</think>\nQuarry Lane", "Quarry Lane"),
        ("<Thinking>perhaps</Thinking>Quarry Lane", "Quarry Lane"),
        ("opened elsewhere</think>Quarry Lane", "Quarry Lane"),
        ("<think>The note says that somebody lives in some lane and", ""),
        ("<think>a</think><think>b", ""),
        (f"{THOUGHT}<|start|>assistant<|channel|>final<|message|>Quarry Lane", "Quarry Lane"),
        ("<|channel|>final<|message|>Quarry Lane<|return|>", "Quarry Lane"),
        (f"{THOUGHT}<|channel|>final<|message|>one<|end|><|channel|>final<|message|>two", "two"),
        (f"{THOUGHT}<|channel|>final <|constrain|>json<|message|>{{}}", "{}"),
        ("<|channel|>analysis<|message|>We need the street and", ""),
        ("analysisWe need the street.assistantfinalQuarry Lane", "Quarry Lane"),
        ("analysis of lanes", "analysis of lanes"),
    ],
)
def test_a_thought_is_no_part_of_a_reply(reply, said):
    assert without_reasoning(reply) == said


VERDICT = '{"reasoning": "same place", "label": "CORRECT"}'


@pytest.mark.parametrize(
    "reply",
    [
        VERDICT,
        f"```json\n{VERDICT}\n```",
        f"Here it is:\n```json\n{VERDICT}\n```\nHope this {{helps}}.",
        f'<think>or {{"label": "WRONG"}}</think>{VERDICT}',
        f"[{VERDICT}]",
        f"{VERDICT}\n{VERDICT}",
        '{"reasoning": "line one\nline two", "label": "CORRECT"}',
        '{"seen": {"label": 3}} ' + VERDICT,
        f'{THOUGHT}{{"label": "WRONG"}}<|channel|>final<|message|>{VERDICT}',
    ],
)
def test_a_verdict_is_found_in_what_surrounds_it(reply):
    assert verdict_fields(reply, ("label", "verdict"))["label"] == "CORRECT"


@pytest.mark.parametrize(
    "reply",
    [
        'I thought {"label": "CORRECT"} but no: {"reasoning": "x", "label": "WRONG"}',
        VERDICT + '\n{"reasoning": "on reflection", "verdict": "WRONG"}',
        "Yes, the response is CORRECT.",
        "",
        '{"label": "COR',
    ],
)
def test_contradicting_labels_and_none_are_no_verdict(reply):
    with pytest.raises(JudgeFault):
        verdict_fields(reply, ("label", "verdict"))
