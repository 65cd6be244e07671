import json
from pathlib import Path

import pytest

from yolox_attn.coco.annotations import read_annotations
from yolox_attn.coco.checks import find_faults, sound_part
from yolox_attn.errors import InputError


@pytest.fixture
def content(folder: Path):
    return json.loads((folder / "annotations/instances_train2017.json").read_text())


def spoil_four_ways(content) -> None:
    content["annotations"][0].update(category_id=77, area="big")
    content["annotations"].append(dict(content["annotations"][1]))
    content["images"][0].update(width=0)


def test_every_kind_of_fault_is_found(content):
    spoil_four_ways(content)
    assert [fault.what for fault in find_faults(content)] == [
        "annotations that share their id",
        "images without a positive width and height",
        "annotations of no listed category",
        "annotations whose area is no number",
    ]


def test_the_refusal_names_the_first_and_counts_the_others(folder, spoil):
    spoil(spoil_four_ways)
    says = r"annotations that share their id: 2 \(2\); and 3 more kinds of error"
    with pytest.raises(InputError, match=says):
        read_annotations(folder / "annotations/instances_train2017.json")


def test_what_follows_from_text_ids_is_not_told_again(content):
    for image in content["images"]:
        image["id"] = str(image["id"])
    (fault,) = find_faults(content)
    assert fault.what == "images whose id is no integer"


def test_entries_without_anything_are_faults_and_no_crash(content):
    for key in ("images", "annotations", "categories"):
        content[key].append({})
    assert len(find_faults(content)) >= 5
    assert [len(entries) for entries in sound_part(content).values()] == [2, 2, 2]


def test_the_sound_part_has_no_fault(content):
    spoil_four_ways(content)
    content["annotations"].append(content["annotations"][1] | {"id": 9, "category_id": 3})
    sound = sound_part(content)
    assert find_faults(sound) == []
    assert ([e["id"] for e in sound["images"]], [e["id"] for e in sound["annotations"]]) == (
        [2], [9]
    )  # fmt: skip


@pytest.mark.parametrize("content", [[], {}, {"images": [], "annotations": [], "categories": []}])
def test_nothing_is_left_of_what_is_no_coco(content):
    assert sound_part(content) is None
