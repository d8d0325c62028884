import gzip
import hashlib
import json
from dataclasses import replace

import pytest

from membench.domain.errors import DataError, UnknownName, UsageError
from membench.tasks import find
from membench.tasks.card import DataFile
from membench.tasks.files import arrays
from membench.tasks.files.arrays import stream_array
from membench.tasks.files.documents import whole_json
from membench.tasks.files.source import Source
from membench.tasks.find import find_errata, find_source, identify
from membench.tasks.registry import get_task

LOCOMO = get_task("locomo")
CONTENT = b'[{"a": 1}]'


@pytest.fixture(autouse=True)
def _nothing_elsewhere(monkeypatch, tmp_path):
    monkeypatch.delenv("MEMBENCH_DATA", raising=False)
    monkeypatch.setattr(find, "cache_folder", lambda name: tmp_path / "cache" / name)


def put(path, content=CONTENT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# --- where a file is found ---


def test_the_sample_needs_no_data():
    source = find_source(LOCOMO, "sample", None)
    assert source.path.name == "sample.json"
    assert LOCOMO.identify(source).name == "sample"


def test_data_may_be_a_file(tmp_path):
    file = put(tmp_path / "mine.json")
    assert find_source(LOCOMO, None, file) == Source(file, "locomo10")


@pytest.mark.parametrize("place", ["locomo10.json", "locomo/locomo10.json", "locomo10.json.gz"])
def test_data_may_be_a_folder_or_hold_one_named_after_the_task(tmp_path, place):
    file = put(tmp_path / place)
    assert find_source(LOCOMO, None, tmp_path).path == file


def test_the_variable_comes_before_the_cache(monkeypatch, tmp_path):
    cached = put(tmp_path / "cache" / "locomo" / "locomo10.json")
    assert find_source(LOCOMO, None, None).path == cached
    named = put(tmp_path / "named" / "locomo" / "locomo10.json")
    monkeypatch.setenv("MEMBENCH_DATA", str(tmp_path / "named"))
    assert find_source(LOCOMO, None, None).path == named


def test_nowhere_else_is_looked_when_data_is_named(tmp_path):
    put(tmp_path / "cache" / "locomo" / "locomo10.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        find_source(LOCOMO, None, tmp_path / "empty")


def test_missing_data_says_what_where_and_what_to_do(tmp_path):
    with pytest.raises(DataError) as caught:
        find_source(LOCOMO, None, None)
    message = str(caught.value)
    for part in ("locomo10.json", str(tmp_path), "membench data get locomo", "--split sample"):
        assert part in message


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        find_source(LOCOMO, None, tmp_path / "nowhere")


def test_an_unknown_split_is_refused():
    with pytest.raises(UnknownName, match="sample"):
        find_source(LOCOMO, "smaple", None)


def test_errata_lie_beside_the_data(tmp_path):
    audit = put(tmp_path / "locomo" / "errors.json")
    assert find_errata(LOCOMO, tmp_path) == audit
    assert find_errata(LOCOMO, put(tmp_path / "locomo" / "locomo10.json")) == audit


def test_missing_errata_are_named(tmp_path):
    with pytest.raises(DataError, match="looked for locomo_audit_errors"):
        find_errata(LOCOMO, tmp_path)


# --- which version it is ---


def carded(content=CONTENT):
    file = DataFile("f.json", "all", 1, hashlib.sha256(content).hexdigest(), "url", "rev")
    return replace(LOCOMO.card, files=(file,))


def test_a_published_hash_names_the_version(tmp_path):
    source = Source(put(tmp_path / "f.json"), "all")
    assert identify(carded(), source).name == "official"
    assert not identify(carded(), source).warning


def test_a_compressed_copy_is_the_published_content(tmp_path):
    source = Source(put(tmp_path / "f.json.gz", gzip.compress(CONTENT)), "all")
    plain = Source(put(tmp_path / "f.json"), "all")
    assert identify(carded(), source) == identify(carded(), plain)
    assert source.sha256 != plain.sha256


def test_an_unknown_hash_loads_with_a_warning(tmp_path):
    version = identify(carded(b"other"), Source(put(tmp_path / "f.json"), "all"))
    assert version.name == "unknown"
    assert version.sha256[:12] in version.warning


def test_a_file_of_another_split_is_told(tmp_path):
    version = identify(carded(), Source(put(tmp_path / "f.json"), "other"))
    assert "split 'all'" in version.warning


def test_several_files_have_one_hash(tmp_path):
    one, two = put(tmp_path / "1"), put(tmp_path / "2", b"x")
    assert Source(one, "s", more=(two,)).sha256 != Source(two, "s", more=(one,)).sha256


# --- reading ---


def read(tmp_path, content, name="f.json"):
    return list(stream_array(Source(put(tmp_path / name, content), "all")))


def test_elements_come_one_by_one_with_their_types(tmp_path):
    assert read(tmp_path, b' [1, 2.5, "x", {"a": [null, true]}] ') == [
        1,
        2.5,
        "x",
        {"a": [None, True]},
    ]
    assert isinstance(read(tmp_path, b"[2.0]")[0], float)


def test_gzip_is_decompressed(tmp_path):
    assert read(tmp_path, gzip.compress(CONTENT), "f.json.gz") == json.loads(CONTENT)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"  \n ", "the file is empty"),
        (b'{"a": 1}', "found an object"),
        (b"version https://git-lfs", "no JSON array"),
        (b'[{"a": 1}, {"b": ', r"\[1\]: the file ends in the middle"),
        (b'[{"a": NaN}]', "not valid JSON"),
        (b'[{"a" 1}]', "not valid JSON"),
        (b'[{"a": "\xff"}]', "not valid JSON"),
        (b"[1] [2]", "not valid JSON"),
        (b"[123456789012345678901234567890]", "not valid JSON"),
    ],
)
def test_a_bad_file_is_refused_with_place_and_reason(tmp_path, content, problem):
    with pytest.raises(DataError, match=problem):
        read(tmp_path, content)


@pytest.mark.parametrize("content", [gzip.compress(CONTENT, mtime=0)[:-9], b"no gzip at all", b""])
def test_a_bad_gzip_file_is_refused(tmp_path, content):
    with pytest.raises(DataError, match=r"gzip|empty"):
        read(tmp_path, content, "f.json.gz")


def test_messages_do_not_quote_the_data(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, b'[{"a": "somebody\'s words" oops}]')
    assert "words" not in str(caught.value)


def test_a_folder_instead_of_a_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        list(stream_array(Source(tmp_path, "all")))


# --- arrays of equal objects are read the quick way, others the slow way, to the same end ---

ELEMENTS = [
    {"id": 1, "text": 'a {"id": 2} b'},
    {"id": 2, "inner": [{"x": 1}, {"y": [{"id": 3}]}], "text": "é\n\t\\"},
    {"id": 3, "n": None, "f": 1.5, "text": "x" * 3000},
]
LAYOUTS = [
    json.dumps(ELEMENTS),
    json.dumps(ELEMENTS, indent=2),
    json.dumps(ELEMENTS, separators=(",", ":"), ensure_ascii=False),
    json.dumps([*ELEMENTS, {"other": 1}, *ELEMENTS]),
    json.dumps([*ELEMENTS, {"id": 4, "list": [{"z": 1}, {"id": 5}]}, *ELEMENTS]),
    json.dumps([1, *ELEMENTS]),
    json.dumps([*ELEMENTS, 1]),
    json.dumps([{}, *ELEMENTS]),
    "[]",
    " [ ] ",
]


@pytest.mark.parametrize("chunk", [7, 64, 1 << 20])
@pytest.mark.parametrize("text", LAYOUTS)
def test_every_layout_gives_the_same_elements(tmp_path, monkeypatch, text, chunk):
    monkeypatch.setattr(arrays, "CHUNK", chunk)
    assert read(tmp_path, text.encode()) == json.loads(text)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_file_cut_anywhere_gives_what_is_whole_and_then_the_place(tmp_path, cut):
    text = json.dumps(ELEMENTS).encode()
    place = put(tmp_path / "f.json", text[: len(text) * cut // 12])
    found = []
    with pytest.raises(DataError, match="ends in the middle") as caught:
        found.extend(stream_array(Source(place, "all")))
    assert found == ELEMENTS[: len(found)]
    assert caught.value.place == f"[{len(found)}]"


def test_an_element_longer_than_memory_allows_is_read_the_slow_way(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "CHUNK", 100)
    monkeypatch.setattr(arrays, "LONGEST", 1000)
    assert read(tmp_path, json.dumps(ELEMENTS).encode()) == ELEMENTS


def test_of_several_files_that_would_do_the_others_are_named(tmp_path):
    for name in ("b_user.json", "a_user.json"):
        put(tmp_path / name)
    card = replace(LOCOMO.card, patterns={"locomo10": ("*_user.json",)})
    source = find.locate(card, tmp_path, "locomo10")
    assert source.path.name == "a_user.json"
    assert "a_user.json was taken, not b_user.json beside it" in find.choice_note(source)
    put(tmp_path / "locomo10.json")
    assert find.locate(card, tmp_path, "locomo10").path.name == "locomo10.json"


def test_of_one_file_nothing_is_said(tmp_path):
    put(tmp_path / "locomo10.json")
    assert find.choice_note(find.locate(LOCOMO.card, tmp_path, "locomo10")) == ""


# --- errata ---


def test_errata_that_are_not_there_are_asked_for_where_they_were_looked_for(tmp_path):
    with pytest.raises(DataError, match=f"looked for .* in {tmp_path}") as caught:
        find_errata(LOCOMO, tmp_path)
    assert "--data PATH" in caught.value.remedy
    assert "--errata" not in caught.value.remedy


def test_a_task_without_a_list_of_errata_says_so(tmp_path):
    with pytest.raises(UsageError, match="--errata: task 'halumem' has no list of errata"):
        find_errata(get_task("halumem"), tmp_path)


def test_json_lines_where_one_document_is_expected_are_called_so(tmp_path):
    path = tmp_path / "full.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    for read in (whole_json, lambda path: list(stream_array(Source(path, "full")))):
        with pytest.raises(DataError, match="JSON lines") as refused:
            read(path)
        assert "another benchmark" in refused.value.remedy


def test_a_document_that_is_cut_off_is_still_no_json(tmp_path):
    path = tmp_path / "cut.json"
    path.write_text('{"a": [1,\n')
    with pytest.raises(DataError, match="not valid JSON"):
        whole_json(path)
