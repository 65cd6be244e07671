import json
import os
import shutil
from pathlib import Path

import pytest

from yolox_attn.coco.checks import image_name, shown_name
from yolox_attn.data.coco_folder import Split, fingerprint, missing_images, read_coco_folder
from yolox_attn.errors import InputError


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_coco_folder(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_stock_layout_is_understood(folder):
    found = read_coco_folder(folder)
    assert found.root == folder
    assert found.train == ("instances_train2017.json", "train2017")
    assert found.val == ("instances_val2017.json", "val2017")
    assert found.test is None
    assert found.classes == ("three", "seven")  # by id, not in the order of the file


@pytest.mark.parametrize(
    ("file", "images"),
    [
        ("instances_{}.json", "{}"),
        ("instances_{}.json", "images/{}"),
        ("{}.json", "images/{}2017"),
        ("my-{}-set.json", "{}_images"),
        ("instances_{}.json", "images"),
        ("instances_{}.json", "."),
    ],
)
def test_variants_of_the_layout(tmp_path, write_split, file, images):
    names = ("train", "valid", "test")
    for name in names:
        write_split(tmp_path, file.format(name), images.format(name), name)
    found = read_coco_folder(tmp_path)
    for name, split in zip(names, (found.train, found.val, found.test), strict=True):
        assert split.ann == file.format(name)
        image = tmp_path / images.format(name) / f"{name}1.png"
        assert (tmp_path / split.name / f"{name}1.png").samefile(image)


def test_file_names_may_hold_folders(spoil):
    folder = spoil(lambda c: [i.update(file_name="part/" + i["file_name"]) for i in c["images"]])
    (folder / "train2017").rename(folder / "moved")
    (folder / "train2017").mkdir()
    (folder / "moved").rename(folder / "train2017" / "part")
    assert read_coco_folder(folder).train.name == "train2017"


def test_a_test_split_without_images_is_no_test_split(folder, write_split):
    write_split(folder, "instances_test2017.json", "test2017", "test")
    assert read_coco_folder(folder).test == Split("instances_test2017.json", "test2017")
    file = folder / "annotations" / "instances_test2017.json"
    file.write_text(file.read_text().replace("seven", "other"))
    assert "instances_test2017.json list different categories" in refusal(folder)
    shutil.rmtree(folder / "test2017")
    assert read_coco_folder(folder).test is None


def test_annotations_of_other_tasks_are_passed_over(folder):
    for name in ("captions_train2017", "person_keypoints_val2017", "image_info_test2017"):
        (folder / "annotations" / f"{name}.json").write_text("{}")
    assert read_coco_folder(folder).train.ann == "instances_train2017.json"


def test_missing_annotations_folder(folder):
    (folder / "annotations").rename(folder / "labels")
    message = refusal(folder)
    assert "no folder annotations/" in message
    assert "labels, train2017, val2017" in message


@pytest.mark.parametrize("split", ["train", "val"])
def test_missing_split_lists_what_is_there(folder, split):
    lost = folder / "annotations" / f"instances_{split}2017.json"
    lost.rename(lost.with_name("mine.json"))
    message = refusal(folder)
    assert f"no {split} annotations" in message
    assert "mine.json" in message


def test_two_files_of_one_split(folder):
    here = folder / "annotations"
    shutil.copy(here / "instances_train2017.json", here / "instances_train.json")
    message = refusal(folder)
    assert "more than one train file" in message
    assert "instances_train.json, instances_train2017.json" in message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"images": [],\n "annotations": [}', " is no valid json: line 2, column 18"),
        (b"[" * 100_000, " is no json that can be read"),
        (b'{"images": ' + b"9" * 9999 + b"}", " is no json that can be read"),
        (b"\xff\xfe\x00", " is no UTF-8 text"),
        (b"[1]", " holds a json list"),
    ],
    ids=["broken", "deep", "long number", "binary", "list"],
)
def test_a_json_that_cannot_be_read_is_named(folder, content, says):
    file = folder / "annotations" / "instances_val2017.json"
    file.write_bytes(content)
    assert f"{file}{says}" in refusal(folder)


def test_a_folder_for_a_json(folder):
    file = folder / "annotations" / "instances_val2017.json"
    file.unlink()
    file.mkdir()
    assert f"cannot read annotation file {file}" in refusal(folder)


def change(key, place=0, **values):
    """Return a function that changes an entry of the list `key`."""
    return lambda content: content[key][place].update(values)


LEAVES = "file names that leave the image folder (absolute, or with ..): 1"


@pytest.mark.parametrize(  # tests/bad_inputs/annotations.py has many more
    ("fault", "says"),
    [
        (lambda c: c.update(annotations=[]), "has no annotations: nothing to learn"),
        (change("annotations", id=None), "annotations whose id is no integer: 1 (None)"),
        (change("annotations", bbox=[0, 0, 1, 1e300]), "finite numbers: 1 (annotation 1: [0, 0,"),
        (change("annotations", area="big"), "whose area is no number: 1 (annotation 1: 'big')"),
        (change("annotations", iscrowd=2), "is neither 0 nor 1: 1 (annotation 1: 2)"),
        (change("images", file_name="/etc/a.png"), f"{LEAVES} (/etc/a.png)"),
        (change("images", file_name="b/../../a.png"), f"{LEAVES} (b/../../a.png)"),
        (change("images", file_name="C:a.png"), f"{LEAVES} (C:a.png)"),
        (change("images", file_name="..\\a.png"), f"{LEAVES} (..\\a.png)"),
        (
            change("categories", name="other"),
            "instances_val2017.json list different categories: 7 'other', 7 'seven'",
        ),
    ],
)
def test_faults_of_the_content(spoil, fault, says):
    message = refusal(spoil(fault))
    assert "instances_train2017.json" in message
    assert says in message


def test_missing_images_are_counted_and_named(folder):
    file = folder / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    content["images"] += [
        {"id": i, "file_name": f"gone{i}.png", "width": 40, "height": 30} for i in range(3, 8)
    ]
    file.write_text(json.dumps(content))
    message = refusal(folder)
    assert f"5 of 7 images of {file} are not in {folder / 'train2017'}" in message
    assert message.endswith("gone3.png, gone4.png, gone5.png, ...")


def test_missing_image_folder_lists_where_it_was_looked_for(folder):
    shutil.rmtree(folder / "val2017")
    message = refusal(folder)
    assert "val1.png" in message
    assert str(folder) in message


@pytest.mark.parametrize(("name", "classes"), [("bccd", 3), ("coco128", 80)])
def test_real_sets(shared, name, classes):
    assert len(read_coco_folder(shared / "data" / name).classes) == classes


def test_a_fingerprint_changes_with_a_name_a_size_or_the_order(tmp_path):
    for name, content in {"a": b"12", "b": b"1", "c": b"12"}.items():
        (tmp_path / name).write_bytes(content)
    seen = {fingerprint(tmp_path, names) for names in ("ab", "ba", "cb", "a", "abc")}
    assert len(seen) == 5
    before = fingerprint(tmp_path, "ab")
    assert fingerprint(tmp_path, "ab") == before
    (tmp_path / "b").write_bytes(b"123")
    assert fingerprint(tmp_path, "ab") != before


def test_a_name_made_from_the_id_is_said_to_be_made():
    assert image_name({"id": 7}) == "000000000007.jpg"
    assert shown_name({"id": 7}) == "000000000007.jpg (a name made from the id)"
    assert shown_name({"id": 7, "file_name": "a.png"}) == "a.png"


def test_missing_images_are_returned_by_their_place(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.png").write_bytes(b"")
    names = ["gone.png", "below/a.png", "nowhere/a.png", "lone\ud800.png"]
    assert missing_images(tmp_path, [{"id": 1, "file_name": name} for name in names]) == [0, 2, 3]


def test_a_link_to_itself_and_a_pipe_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    images = [{"id": n, "file_name": name} for n, name in enumerate(("loop.png", "pipe.png"))]
    assert missing_images(tmp_path, images) == [0, 1]
