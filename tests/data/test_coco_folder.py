import hashlib
import json
import shutil
from pathlib import Path

import pytest
from yolox_attn.data.fingerprint import fingerprint

from yolox_attn.coco.checks import image_name, shown_name
from yolox_attn.console import printable, shortlist
from yolox_attn.data.coco_folder import missing_images, read_coco_folder
from yolox_attn.errors import InputError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_coco_folder(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_stock_layout_is_understood(folder):
    found = read_coco_folder(folder)
    assert found.root == folder
    assert (found.train_ann, found.train_name) == ("instances_train2017.json", "train2017")
    assert (found.val_ann, found.val_name) == ("instances_val2017.json", "val2017")
    assert (found.test_ann, found.test_name) == (None, None)
    assert found.classes == ("three", "seven")  # by id, not in the order of the file
    assert (found.train_images, found.val_images) == (2, 2)
    for split, told in (("train", found.train_sha256), ("val", found.val_sha256)):
        raw = (folder / "annotations" / f"instances_{split}2017.json").read_bytes()
        assert told == hashlib.sha256(raw).hexdigest()


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
    for split in ("train", "valid", "test"):
        write_split(tmp_path, file.format(split), images.format(split), split)
    found = read_coco_folder(tmp_path)
    assert found.val_ann == file.format("valid")
    names = (found.train_name, found.val_name, found.test_name)
    for split, name in zip(("train", "valid", "test"), names, strict=True):
        assert (tmp_path / name / f"{split}1.png").samefile(
            tmp_path / images.format(split) / f"{split}1.png"
        )


def test_file_names_may_hold_folders(spoil):
    folder = spoil(lambda c: [i.update(file_name="part/" + i["file_name"]) for i in c["images"]])
    (folder / "train2017").rename(folder / "moved")
    (folder / "train2017").mkdir()
    (folder / "moved").rename(folder / "train2017" / "part")
    assert read_coco_folder(folder).train_name == "train2017"


def test_test_split_without_images_is_no_test_split(folder, write_split):
    write_split(folder, "instances_test2017.json", "test2017", "test")
    assert read_coco_folder(folder).test_name == "test2017"
    shutil.rmtree(folder / "test2017")
    assert read_coco_folder(folder).test_ann is None


def test_annotations_of_other_tasks_are_passed_over(folder):
    for name in ("captions_train2017", "person_keypoints_val2017", "image_info_test2017"):
        (folder / "annotations" / f"{name}.json").write_text("{}")
    assert read_coco_folder(folder).train_ann == "instances_train2017.json"


def test_missing_folder(tmp_path):
    assert refusal(tmp_path / "nowhere") == f"no data folder {tmp_path / 'nowhere'}"


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


def test_broken_json_names_the_place(folder):
    file = folder / "annotations" / "instances_val2017.json"
    file.write_text('{"images": [],\n "annotations": [}')
    assert f"{file} is no valid json: line 2, column 18" in refusal(folder)


def test_json_of_many_levels_or_digits(folder):
    file = folder / "annotations" / "instances_val2017.json"
    for text in ("[" * 100_000, '{"images": ' + "9" * 9999 + "}"):
        file.write_text(text)
        assert "is no json that can be read" in refusal(folder)


def test_binary_json(folder):
    (folder / "annotations" / "instances_val2017.json").write_bytes(b"\xff\xfe\x00")
    assert "is no UTF-8 text" in refusal(folder)


def test_unreadable_json(folder):
    file = folder / "annotations" / "instances_val2017.json"
    file.unlink()
    file.mkdir()
    assert "cannot read annotation file" in refusal(folder)


def test_json_that_is_no_object(folder):
    (folder / "annotations" / "instances_train2017.json").write_text("[1]")
    assert "holds a json list" in refusal(folder)


def duplicate(entries):
    entries.append(dict(entries[0]))


FAULTS = {
    "has no list of objects 'images'": lambda c: c.pop("images"),
    "has no list of objects 'annotations'": lambda c: c.update(annotations={"1": 2}),
    "has no list of objects 'categories'": lambda c: c.update(categories=["seven"]),
    "lists no images": lambda c: c.update(images=[]),
    "lists no categories": lambda c: c.update(categories=[]),
    "has no annotations: nothing to learn": lambda c: c.update(annotations=[]),
    "images that share their id: 2 (1)": lambda c: duplicate(c["images"]),
    "annotations that share their id: 2 (1)": lambda c: duplicate(c["annotations"]),
    "categories that share their id: 2 (7)": lambda c: duplicate(c["categories"]),
    "images whose id is no integer: 1 ('1')": lambda c: c["images"][0].update(id="1"),
    "annotations whose id is no integer: 1 (None)": lambda c: c["annotations"][0].pop("id"),
    "annotations of no listed image: 1 (annotation 2: image 9)": lambda c: c["annotations"][
        1
    ].update(image_id=9),
    "annotations of no listed category: 1 (annotation 1: category 0)": lambda c: c["annotations"][
        0
    ].update(category_id=0),
    "images without a positive width and height: 1 (train1.png)": lambda c: c["images"][0].pop(
        "width"
    ),
    "annotations without a bbox of four finite numbers: 1 (annotation 1: [1, 2, 3])": lambda c: c[
        "annotations"
    ][0].update(bbox=[1, 2, 3]),
    "without a bbox of four finite numbers: 1 (annotation 2: [0, 0, 1, nan])": lambda c: c[
        "annotations"
    ][1].update(bbox=[0, 0, 1, float("nan")]),
    "annotations of no listed image: 1 (annotation 2: image [1])": lambda c: c["annotations"][
        1
    ].update(image_id=[1]),
    "without a bbox of four finite numbers: 1 (annotation 1: [0, 0, 1, 1e+300])": lambda c: c[
        "annotations"
    ][0].update(bbox=[0, 0, 1, 1e300]),
    "annotations whose area is no number: 1 (annotation 1: 'big')": lambda c: c["annotations"][
        0
    ].update(area="big"),
    "annotations whose iscrowd is neither 0 nor 1: 1 (annotation 1: 2)": lambda c: c["annotations"][
        0
    ].update(iscrowd=2),
    "images whose file_name is no text: 1 (5)": lambda c: c["images"][0].update(file_name=5),
    "file names that leave the image folder (absolute, or with ..): 1 (/etc/a.png)": lambda c: c[
        "images"
    ][0].update(file_name="/etc/a.png"),
    "file names that leave the image folder (absolute, or with ..): 1 (b/../../a.png)": lambda c: c[
        "images"
    ][0].update(file_name="b/../../a.png"),
    "file names that leave the image folder (absolute, or with ..): 1 (C:a.png)": lambda c: c[
        "images"
    ][0].update(file_name="C:a.png"),
    "file names that leave the image folder (absolute, or with ..): 1 (..\\a.png)": lambda c: c[
        "images"
    ][0].update(file_name="..\\a.png"),
    "categories without a name: 1 (7)": lambda c: c["categories"][0].pop("name"),
    "categories that share their name: 2 (three)": lambda c: c["categories"][0].update(
        name="three"
    ),
    "instances_val2017.json list different categories: 7 'seven', 7 'other'": lambda c: c[
        "categories"
    ][0].update(name="other"),
}


@pytest.mark.parametrize("told", FAULTS)
def test_faults_of_the_content(spoil, told):
    message = refusal(spoil(FAULTS[told]))
    assert "instances_train2017.json" in message
    for part in told.split(": 7 'seven', "):
        assert part in message


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


def test_missing_image_folder_says_where_it_looked(folder):
    shutil.rmtree(folder / "val2017")
    message = refusal(folder)
    assert "val1.png" in message
    assert str(folder) in message


@pytest.mark.skipif(not SHARED.is_dir(), reason="the sets of ../shared are not here")
@pytest.mark.parametrize(("name", "counts"), [("bccd", (205, 87, 3)), ("coco128", (128, 128, 80))])
def test_real_sets(name, counts):
    found = read_coco_folder(SHARED / name)
    assert (found.train_images, found.val_images, len(found.classes)) == counts


def test_it_changes_with_a_name_a_size_or_the_order(tmp_path: Path) -> None:
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


def test_missing_images_are_told_by_their_place(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.png").write_bytes(b"")
    names = ["gone.png", "below/a.png", "nowhere/a.png", "lone\ud800.png"]
    assert missing_images(tmp_path, [{"id": 1, "file_name": name} for name in names]) == [0, 2, 3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a b é 图.png", "a b é 图.png"),
        ("a\nb\0\x1b[1m", "a\\nb\\x00\\x1b[1m"),
        ("\u202egnp.a\ud800", "\\u202egnp.a\\ud800"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text, told):
    assert printable(text) == told
    assert shortlist([text]) == told
