import dataclasses
import json
from dataclasses import dataclass

import pytest
from yolox_attn.report.restore import restore


@dataclass(frozen=True)
class Leaf:
    ends: tuple[float, float] | None
    options: dict[str, object]


@dataclass(frozen=True)
class Tree:
    name: str
    leaves: tuple[Leaf, ...]
    figures: dict[str, float | None]
    leaf: Leaf | None = None
    counts: tuple[tuple[int, float], ...] = ()


TREE = Tree(
    "a",
    (Leaf((0.5, 1), {"k": [1, {"b": None}]}), Leaf(None, {})),
    {"AP": None, "AP50": 0.25},
    Leaf((1.0, 2.0), {}),
    ((1, 0.5),),
)


def test_every_kind_of_field_comes_back() -> None:
    values = json.loads(json.dumps(dataclasses.asdict(TREE)))
    assert restore(Tree, values) == TREE


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": 1}, TypeError),
        ({"leaves": {}}, TypeError),
        ({"leaves": [{"ends": [1.0], "options": {}}]}, TypeError),
        ({"leaves": [{"ends": None}]}, TypeError),
        ({"metrics": {"AP": "x"}}, TypeError),
        ({"metrics": None}, TypeError),
        ({"colour": 1}, KeyError),
    ],
)
def test_what_is_not_as_annotated_is_refused(
    change: dict[str, object], error: type[Exception]
) -> None:
    values = json.loads(json.dumps(dataclasses.asdict(TREE))) | change
    with pytest.raises(error):
        restore(Tree, values)
