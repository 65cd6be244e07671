import copy

import pytest

from yolox_attn.coco.annotations import check_annotations
from yolox_attn.coco.checks import find_faults, sound_part
from yolox_attn.errors import InputError


@pytest.fixture
def content():
    """Two images with one object each."""
    return {
        "images": [{"id": n, "width": 40, "height": 30} for n in (1, 2)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": k, "bbox": [5, 5, 20, 10], "area": 200}
            for n, k in ((1, 7), (2, 3))
        ],
        "categories": [{"id": 7, "name": "seven"}, {"id": 3, "name": "three"}],
    }


@pytest.fixture
def spoilt(content):
    """Its only sound entries are the second image and both categories."""
    content["annotations"][0].update(category_id=77, area="big")
    content["annotations"].append(dict(content["annotations"][1]))
    content["images"][0].update(width=0)
    return content


def test_every_kind_of_fault_is_found(spoilt):
    assert [fault.what for fault in find_faults(spoilt)] == [
        "annotations that share their id",
        "images without a positive width and height",
        "annotations of no listed category",
        "annotations whose area is no number",
    ]


def test_the_refusal_names_the_first_and_counts_the_others(spoilt):
    message = r"^T\.json: annotations that share their id: 2 \(2\); and 3 more kinds of error, see "
    with pytest.raises(InputError, match=message):
        check_annotations(spoilt, "T.json")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c["images"][0].update(width=0),
        lambda c: c["images"][0].update(file_name="../x.jpg"),
        lambda c: c["categories"][0].pop("name"),
        lambda c: c["annotations"][0].update(area="big"),
        lambda c: c["annotations"][0].update(bbox=[0, 0, 1e9, 1]),
        lambda c: c["annotations"][0].pop("id"),
    ],
)
def test_what_hinders_only_training_is_a_fault_only_there(content, spoil):
    sound = copy.deepcopy(content)
    spoil(content)
    assert find_faults(sound) == []
    assert len(find_faults(content)) == 1
    assert find_faults(content, images_needed=False) == []


def test_what_follows_from_text_ids_is_not_reported_again(content):
    for image in content["images"]:
        image["id"] = str(image["id"])
    (fault,) = find_faults(content)
    assert fault.what == "images whose id is no integer"


def test_entries_without_anything_are_faults_and_no_crash(content):
    for key in ("images", "annotations", "categories"):
        content[key].append({})
    assert len(find_faults(content)) >= 5
    assert [len(entries) for entries in sound_part(content).values()] == [2, 2, 2]


def test_the_sound_part_has_no_fault(spoilt):
    spoilt["annotations"].append(spoilt["annotations"][1] | {"id": 9, "category_id": 3})
    sound = sound_part(spoilt)
    assert find_faults(sound) == []
    assert [entry["id"] for entry in sound["images"]] == [2]
    assert [entry["id"] for entry in sound["annotations"]] == [9]


@pytest.mark.parametrize("content", [[], {}, {"images": [], "annotations": [], "categories": []}])
def test_nothing_is_left_of_what_is_no_coco(content):
    assert sound_part(content) is None


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda c: c["images"][0].update(id=2**63),
            "whose id has more than 64 bits: 1 (9.2",
        ),
        (lambda c: c["images"][0].update(id=10**400), "more than 64 bits: 1 (an integer of hund"),
        (
            lambda c: c["images"][0].update(width=20000, height=3),
            "a side would have no pixel left: 1",
        ),
        (lambda c: c["categories"][0].update(name="\ud800"), "no Unicode text (a lone surrogate)"),
        (lambda c: c["annotations"][0].update(area=10**400), "annotations whose area is no number"),
        (lambda c: c["annotations"][0].update(bbox=[1, 1, 10**400, 2]), "without a bbox of four"),
        (lambda c: c["images"][0].update(height=10**400), "without a positive width and height"),
    ],
)
def test_what_training_or_printing_would_die_of_is_a_fault(content, spoil, says):
    spoil(content)
    for entry in content["annotations"]:
        entry["image_id"] = 2
    (fault,) = find_faults(content)
    assert says in fault.text
