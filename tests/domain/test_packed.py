"""Packed values are the values that were put in."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.packed import PackedNumbers, PackedStrings, SortedStrings
from membench.records.question_set import QuestionSet

NUMBERS = st.lists(st.sampled_from([0, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1]))
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=20)


@given(NUMBERS)
def test_numbers_come_back_in_order(numbers: list[int]) -> None:
    packed = PackedNumbers()
    for number in numbers:
        packed.append(number)
    assert list(packed) == numbers
    assert [packed[at] for at in range(len(packed))] == numbers


@pytest.mark.parametrize(("largest", "width"), [(255, 1), (256, 2), (65_536, 4), (2**32, 8)])
def test_a_number_takes_what_the_largest_needs(largest: int, width: int) -> None:
    packed = PackedNumbers()
    packed.append(largest)
    packed.append(0)
    assert packed.values.itemsize == width


def test_a_number_can_be_replaced_by_a_larger_one() -> None:
    packed = PackedNumbers()
    packed.append(7)
    packed[-1] = 70_000
    assert list(packed) == [70_000]


@pytest.mark.parametrize("odd", [-1, 2**64])
def test_what_no_column_can_hold_is_refused(odd: int) -> None:
    with pytest.raises(OverflowError):
        PackedNumbers().append(odd)


@given(TEXTS)
def test_strings_come_back_in_order(texts: list[str]) -> None:
    packed = PackedStrings(texts)
    assert [packed[at] for at in range(len(packed))] == texts
    assert list(packed.encoded()) == [text.encode() for text in texts]


@given(TEXTS)
def test_strings_are_sorted_over_several_blocks(texts: list[str]) -> None:
    packed = SortedStrings(block=3)
    for text in texts:
        packed.append(text)
    assert list(packed.encoded()) == [text.encode() for text in sorted(texts)]


@given(TEXTS)
def test_a_question_set_is_named_by_the_lines_of_its_sorted_ids(ids: list[str]) -> None:
    questions = QuestionSet()
    questions.add(ids[::2])
    questions.add(ids[1::2])
    assert questions.sha256() == hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
