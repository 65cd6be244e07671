"""Pascal VOC: what its corners, lists and flags mean, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from layouts import write_xml
from PIL import Image

from yolox_attn.data.formats import Splitting, convert
from yolox_attn.data.formats.voc import find_voc, read_voc, read_xml_folders, xml_folders
from yolox_attn.errors import InputError

CAT, SIZE = ("cat", [0, 0, 10, 5], 0), (40, 30)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Two images a split; the second of each has no objects."""
    root = tmp_path / "voc"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for split in ("train", "val"):
        stems = [f"{split}{k}" for k in range(2)]
        for stem, objects in zip(stems, ([CAT], []), strict=True):
            Image.new("RGB", SIZE).save(root / f"JPEGImages/{stem}.JPG", "JPEG")
            write_xml(root, stem, SIZE, objects)
        (root / f"ImageSets/Main/{split}.txt").write_text("\n".join(stems))
    return root


def test_corners_count_from_one_and_belong_to_the_box(voc: Path) -> None:
    content = read_voc(voc).splits["train"]
    assert [entry["bbox"] for entry in content["annotations"]] == [[0, 0, 10, 5]]
    assert [image["id"] for image in content["images"]] == [1, 2]
    assert content["images"][0]["file_name"].endswith("train0.JPG")


@pytest.mark.parametrize("lists", [True, False], ids=["its own splits", "split here"])
def test_difficult_boxes_are_trained_on_and_not_judged_by(voc: Path, lists: bool) -> None:
    for stem in ("train0", "train1", "val0", "val1"):
        write_xml(voc, stem, SIZE, [CAT, ("cat", [5, 5, 10, 10], 1)])
    if not lists:
        for number, image in enumerate(sorted((voc / "JPEGImages").iterdir())):
            Image.new("RGB", SIZE, (60 * number, 0, 0)).save(image, "JPEG")
        for file in (voc / "ImageSets/Main").iterdir():
            file.unlink()
    made = convert(voc, voc.parent / "out", None if lists else Splitting(0.5)).folder
    for split, crowd in (("train", 0), ("val", 1)):
        entries = json.loads((made / f"annotations/instances_{split}2017.json").read_text())
        flags = [(e["iscrowd"], e.get("difficult", 0)) for e in entries["annotations"]]
        assert flags == [(0, 0), (crowd, 1)] * len(entries["images"])


def test_classes_are_those_listed_else_all_names_sorted(voc: Path) -> None:
    write_xml(voc, "val1", SIZE, [("ape", [0, 0, 2, 2], 0)])
    assert [each["name"] for each in read_voc(voc).splits["train"]["categories"]] == ["ape", "cat"]
    (voc / "classes.txt").write_bytes(b"\xef\xbb\xbfcat\r\nape\r\n")
    content = read_voc(voc).splits["val"]
    assert [each["name"] for each in content["categories"]] == ["cat", "ape"]
    assert [entry["category_id"] for entry in content["annotations"]] == [1, 2]


def test_without_lists_all_is_one_split_and_spare_images_are_named(voc: Path) -> None:
    (voc / "ImageSets/Main/val.txt").write_text("val0 1\n")
    source = read_voc(voc)
    assert len(source.splits["val"]["images"]) == 1
    assert source.notes == ["1 image in none of the lists: val1.JPG"]
    for file in (voc / "ImageSets/Main").iterdir():
        file.unlink()
    assert len(read_voc(voc).splits["all"]["images"]) == 4
    (voc / "Annotations/val1.xml").unlink()
    with pytest.raises(InputError, match="--unlabelled background"):
        read_voc(voc)


def test_an_image_without_an_xml_is_background_only_when_said(voc: Path) -> None:
    (voc / "Annotations/train1.xml").unlink()
    with pytest.raises(InputError, match="--unlabelled background"):
        read_voc(voc)
    content = read_voc(voc, unlabelled=True).splits["train"]
    assert [(image["width"], image["height"]) for image in content["images"]] == [SIZE, SIZE]


@pytest.mark.parametrize("how", ["a namespace", "capitals"])
def test_namespaces_and_capitals_lose_no_box(voc: Path, how: str) -> None:
    file = voc / "Annotations/train0.xml"
    xml = file.read_text()
    changed = xml.replace("<annotation>", "<annotation xmlns='http://x.y'>")
    if how == "capitals":
        changed = xml.replace("object>", "Object>").replace("bndbox>", "BndBox>")
    file.write_text(changed)
    assert [e["bbox"] for e in read_voc(voc).splits["train"]["annotations"]] == [[0, 0, 10, 5]]


def test_trainval_is_the_set_where_there_is_no_train(voc: Path) -> None:
    lists = voc / "ImageSets/Main"
    (lists / "val.txt").unlink()
    (lists / "train.txt").rename(lists / "trainval.txt")
    assert [len(each["images"]) for each in read_voc(voc).splits.values()] == [2]
    assert [*read_voc(voc).splits] == ["all"]


def test_names_with_spaces_and_lists_of_a_class(voc: Path) -> None:
    for folder, ending in (("JPEGImages", "JPG"), ("Annotations", "xml")):
        (voc / f"{folder}/val1.{ending}").rename(voc / f"{folder}/val 1.{ending}")
    (voc / "ImageSets/Main/val.txt").write_text("val0 -1\nval 1\n")
    assert len(read_voc(voc).splits["val"]["images"]) == 2


def test_a_size_that_is_missing_is_the_files(voc: Path) -> None:
    write_xml(voc, "train0", (0, 0), [CAT])
    image = read_voc(voc).splits["train"]["images"][0]
    assert (image["width"], image["height"]) == SIZE


def test_the_set_may_lie_below_the_folder(voc: Path) -> None:
    assert find_voc(voc) == voc
    assert find_voc(voc.parent) == voc
    assert find_voc(voc / "JPEGImages") is None
    voc.rename(voc.parent / "VOC2007")
    (voc.parent / "VOC2012/Annotations").mkdir(parents=True)
    (voc.parent / "VOC2012/Annotations/a.xml").touch()
    with pytest.raises(InputError, match="several Pascal VOC sets: VOC2007, VOC2012"):
        find_voc(voc.parent)


@pytest.fixture
def beside(voc: Path) -> Path:
    """The same set, each XML beside its image in train/ or valid/."""
    root = voc.parent / "beside"
    for split, name in (("train", "train"), ("val", "valid")):
        (root / name).mkdir(parents=True)
        for folder in ("Annotations", "JPEGImages"):
            for file in (voc / folder).glob(f"{split}*"):
                file.rename(root / name / file.name)
    return root


def test_xmls_beside_the_images_of_each_split(beside: Path) -> None:
    assert {split: folder.name for split, folder in xml_folders(beside).items()} == {
        "train": "train",
        "val": "valid",
    }
    source = read_xml_folders(beside)
    assert {split: len(each["images"]) for split, each in source.splits.items()} == {
        "train": 2,
        "val": 2,
    }
    assert [e["bbox"] for e in source.splits["val"]["annotations"]] == [[0, 0, 10, 5]]
    (beside / "classes.txt").write_text("dog\ncat\n")
    (beside / "valid").rename(beside / "test")
    [entry] = read_xml_folders(beside).splits["test"]["annotations"]
    assert entry["category_id"] == 2


def test_what_is_wrong_beside_the_images_is_named(beside: Path) -> None:
    (beside / "valid/val1.xml").unlink()
    with pytest.raises(InputError, match=r"no .*valid/val1\.xml: .*--unlabelled background"):
        read_xml_folders(beside)
    assert len(read_xml_folders(beside, unlabelled=True).splits["val"]["images"]) == 2
    (beside / "valid/val0.JPG").unlink()
    with pytest.raises(InputError, match=r"val0\.xml: no image of that name"):
        read_xml_folders(beside, unlabelled=True)
    (beside / "val").mkdir()
    (beside / "val/a.xml").touch()
    with pytest.raises(InputError, match=r"two val folders, .*/val and .*/valid"):
        xml_folders(beside)


HALF_A_BOX = "<object><name>cat</name><bndbox><xmin>x</xmin></bndbox></object>"


def text(content: str) -> Callable[[Path], object]:
    return lambda root: (root / "Annotations/train0.xml").write_text(content)


def objects(*given: tuple) -> Callable[[Path], object]:
    return lambda root: write_xml(root, "train0", SIZE, list(given))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "an image is missing": (
        lambda root: (root / "JPEGImages/train0.JPG").unlink(),
        r"train0\.xml: no image of that name",
    ),
    "two images of one stem": (
        lambda root: Image.new("RGB", SIZE).save(root / "JPEGImages/train0.png"),
        r"two images of one name in .*: train0\.JPG and train0\.png",
    ),
    "an empty list": (
        lambda root: (root / "ImageSets/Main/val.txt").write_text("\n"),
        r"val\.txt names no image",
    ),
    "a name twice": (
        lambda root: (root / "ImageSets/Main/val.txt").write_text("val0\nval0\n"),
        r"val\.txt names 1 image twice",
    ),
    "an empty XML": (text(""), "no valid XML"),
    "another XML": (text("<html><object/></html>"), "is no Pascal VOC: it begins with <html>"),
    "half an XML": (text("<annotation><object>"), "no valid XML"),
    "an unknown encoding": (text("<?xml version='1.0' encoding='x9'?><a/>"), "no valid XML"),
    "entities": (text("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), "entities"),
    "no box": (text("<annotation><object><name>cat</name></object></annotation>"), "no box of"),
    "a word for a number": (
        text(f"<annotation>{HALF_A_BOX}</annotation>"),
        "no box of four",
    ),
    "no name": (objects(("", [0, 0, 2, 2], 0)), "an object without a name"),
    "an empty box": (objects(("cat", [4, 4, 0, 3], 0)), r"the box 5, 5, 4, 7 of cat is empty"),
    "a box outside": (objects(("cat", [50, 4, 9, 3], 0)), r"outside of the image \(40x30\)"),
    "not a number": (objects(("cat", [float("nan"), 4, 9, 3], 0)), "no box of four numbers"),
    "a class that is not listed": (
        lambda root: (root / "classes.txt").write_text("dog"),
        "'cat' is not among those of classes.txt: dog",
    ),
    "an empty list of classes": (
        lambda root: (root / "classes.txt").touch(),
        r"classes\.txt: no class names",
    ),
    "a class twice": (
        lambda root: (root / "classes.txt").write_text("cat\ncat"),
        "class 'cat' is listed twice",
    ),
    "classes that are no text": (
        lambda root: (root / "classes.txt").write_bytes(b"caf\xe9"),
        r"classes\.txt is no UTF-8 text: byte 3",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_one_line_that_names_the_file(voc: Path, name: str) -> None:
    spoil, says = BROKEN[name]
    spoil(voc)
    with pytest.raises(InputError, match=says) as error:
        read_voc(voc)
    assert str(voc) in str(error.value)
    assert "\n" not in str(error.value)
