import dataclasses
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from yolox_attn.errors import InputError
from yolox_attn.runs import file_hash, read_json, read_json_lines, write_json


@dataclass(frozen=True)
class Leaf:
    ends: tuple[float, float] | None
    options: dict[str, object]


@dataclass(frozen=True)
class Tree:
    name: str
    leaves: tuple[Leaf, ...]
    metrics: dict[str, float | None]
    leaf: Leaf | None = None
    counts: tuple[tuple[int, float], ...] = ()


TREE = Tree(
    "ä\udcff",  # as a file name that is no UTF-8
    (Leaf((0.5, 1), {"k": [1, {"b": None}]}), Leaf(None, {})),
    {"AP": None, "AP50": 0.25},
    Leaf((1.0, 2.0), {}),
    ((1, 0.5),),
)


def test_every_kind_of_field_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "new/tree.json", TREE)
    assert read_json(tmp_path / "new/tree.json", Tree, "a tree") == TREE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": 1}, "$.name"),
        ({"leaves": {}}, "$.leaves"),
        ({"leaves": [{"ends": [1.0], "options": {}}]}, "$.leaves[0].ends"),
        ({"leaves": [{"ends": None}]}, "missing required field `options`"),
        ({"metrics": {"AP": "x"}}, "$.metrics"),
        ({"metrics": None}, "$.metrics"),
        ({"colour": 1}, "unknown field colour"),
        ({"leaf": {"ends": None, "options": {}, "colour": 1}}, "unknown field leaf.colour"),
    ],
)
def test_what_is_not_as_annotated_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    path = tmp_path / "tree.json"
    path.write_text(json.dumps(dataclasses.asdict(TREE) | change))
    with pytest.raises(InputError) as caught:
        read_json(path, Tree, "a tree")
    assert str(caught.value).startswith(f"{path}: not a tree: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b'{"a": 1', b'"\xff"', b"[" * 100_000, b"[1," * 101 + b"1" + b"]" * 101]
)
def test_what_is_no_json_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json: cannot be read as JSON: ") as caught:
        read_json(path, dict[str, Any], "anything")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: it is no regular file"):
        read_json(tmp_path, dict[str, Any], "anything")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_json(tmp_path / "none", dict[str, Any], "anything")
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for a writer
    with pytest.raises(InputError, match="cannot be read: it is no regular file"):
        read_json(tmp_path / "pipe", dict[str, Any], "anything")


def test_a_file_too_large_to_be_ours_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole
    with pytest.raises(InputError, match="1048576 MiB, and no file of ours has more than 64"):
        read_json(path, dict[str, Any], "anything")


def test_of_a_value_a_line_the_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    assert read_json_lines(path, list[int], "numbers") == []
    path.write_text("[1]\n[2, 3]\n")
    assert read_json_lines(path, list[int], "numbers") == [[1], [2, 3]]
    path.write_text('[1]\n["2"]\n')
    with pytest.raises(InputError, match=r"x\.jsonl, line 2: not numbers: "):
        read_json_lines(path, list[int], "numbers")


def test_written_is_strict_json_without_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": math.nan, "b": (1.5, [math.inf])})
    text = (tmp_path / "x.json").read_text()
    values = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in {text}"))
    assert values == {"a": None, "b": [1.5, [None]]}


def test_what_json_cannot_say_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"model": object()})
    assert not list(tmp_path.iterdir())


def test_a_files_hash(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_hash(tmp_path / "x").startswith("ba7816bf")
