"""YOLO: folders, data.yaml and label lines, and what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from yolox_attn.data.formats.yolo import read_yolo
from yolox_attn.errors import InputError

SIZE = (40, 20)
YAML = "path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n"


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """An image of one cat a split, and one without a label file."""
    root = tmp_path / "yolo"
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for k in range(2):
            Image.new("RGB", SIZE).save(root / f"images/{split}/{k}.png")
        (root / f"labels/{split}/0.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    (root / "data.yaml").write_text(YAML)
    return root


def boxes(root: Path, split: str = "train") -> list[tuple[int, list[float]]]:
    annotations = read_yolo(root).splits[split]["annotations"]
    return [(entry["category_id"], entry["bbox"]) for entry in annotations]


def label(root: Path, text: str) -> None:
    (root / "labels/train/0.txt").write_bytes(text.encode())


def test_fractions_become_pixels_and_no_file_is_background(yolo: Path) -> None:
    assert boxes(yolo) == [(1, [15, 5, 10, 10])]
    assert read_yolo(yolo).notes == ["2 images without a label file: background"]
    assert len(read_yolo(yolo).splits["train"]["images"]) == 2


@pytest.mark.parametrize(
    "text",
    [
        "1 0.375 0.25 0.625 0.25 0.625 0.75 0.375 0.75",  # a polygon's extent
        "1 0.5 0.5 0.25 0.5\r\n\r\n1 0.5 0.5 0.25 0.5\r\n",  # a line that is there twice
        "\ufeff1.0 .5 5e-1 0.25 0.5",
    ],
)
def test_what_a_line_may_look_like(yolo: Path, text: str) -> None:
    label(yolo, text)
    assert boxes(yolo) == [(2, [15, 5, 10, 10])]


@pytest.mark.parametrize(
    ("side", "text", "box"),
    [
        (40, "0 .875 .5 .275 .5", [29.5, 5, 11, 10]),  # half a pixel beyond 40 pixels
        (1000, "0 .875 .5 .265 .5", [742.5, 5, 265, 10]),  # 7.5 pixels of 1000
    ],
)
def test_a_box_may_leave_its_image_by_what_rounding_makes(
    yolo: Path, side: int, text: str, box: list[float]
) -> None:
    Image.new("RGB", (side, 20)).save(yolo / "images/train/0.png")
    label(yolo, text)
    assert boxes(yolo) == [(1, pytest.approx(box))]


def test_a_turned_photo_is_measured_as_it_is_shown(yolo: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE).save(yolo / "images/train/0.jpg", exif=exif)
    (yolo / "images/train/0.png").unlink()
    image = read_yolo(yolo).splits["train"]["images"][0]
    assert (image["width"], image["height"]) == SIZE[::-1]
    assert boxes(yolo) == [(1, [7.5, 10, 5, 20])]


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("names: {0: cat, 1: dog}\ntrain: images/train\nval: images/val", ["cat", "dog"]),
        ("names: [cat]\nnc: 1\ntrain: [images/train]\nval: ./images/val", ["cat"]),
        ("names: [cat]\npath: /gone\ntrain: ../images/train\nval: ../images/val", ["cat"]),
        ("names: [1, 2]\ntrain: list.txt\nval: images/val\ntest:\ndownload: x", ["1", "2"]),
    ],
)
def test_what_a_data_yaml_may_look_like(yolo: Path, text: str, classes: list[str]) -> None:
    (yolo / "list.txt").write_text("./images/train/0.png\nimages/train/1.png\n")
    (yolo / "data.yaml").write_text(text)
    source = read_yolo(yolo)
    assert [each["name"] for each in source.splits["val"]["categories"]] == classes
    assert len(source.splits["train"]["images"]) == 2
    assert boxes(yolo) == [(1, [15, 5, 10, 10])]


@pytest.mark.parametrize(
    "places", [("images/{}", "labels/{}"), ("{}/images", "{}/labels"), ("{}",)]
)
def test_folders_without_a_yaml(yolo: Path, tmp_path: Path, places: tuple[str, ...]) -> None:
    """images/train, train/images, or all in one folder; valid is val."""
    root = tmp_path / "other"
    for split, name in (("train", "train"), ("val", "valid")):
        pictures, labels = (root / place.format(name) for place in (places[0], places[-1]))
        for folder in (pictures, labels):
            folder.mkdir(parents=True, exist_ok=True)
        for file in (yolo / "images" / split).iterdir():
            file.rename(pictures / file.name)
        (yolo / f"labels/{split}/0.txt").rename(labels / "0.txt")
    (root / "classes.txt").write_text("cat\n")
    assert boxes(root) == boxes(root, "val") == [(1, [15, 5, 10, 10])]


def test_labels_beside_the_images_are_found_below_any_folder(tmp_path: Path) -> None:
    """Also where a folder of the path is called images, and there is no labels/ to it."""
    root = tmp_path / "images/set"
    for split in ("train2017", "val2017"):
        (root / split).mkdir(parents=True)
        Image.new("RGB", SIZE).save(root / split / "a.png")
        (root / split / "a.txt").write_text("0 0.5 0.5 0.25 0.5")
    (root / "classes.txt").write_text("cat")
    (root / "config.yaml").write_text("lr: 1")  # not every yaml is a data.yaml
    assert boxes(root) == boxes(root, "val") == [(1, [15, 5, 10, 10])]


def test_links_keep_the_labels_of_their_own_names(yolo: Path) -> None:
    store = yolo / "store"
    store.mkdir()
    (yolo / "images/train/0.png").rename(store / "abc.png")
    (yolo / "images/train/0.png").symlink_to(store / "abc.png")
    assert boxes(yolo) == [(1, [15, 5, 10, 10])]
    (yolo / "images").rename(yolo / "pictures")
    (yolo / "images").symlink_to(yolo / "pictures")
    assert boxes(yolo) == [(1, [15, 5, 10, 10])]


def test_what_is_hidden_is_no_data_and_spare_labels_are_named(yolo: Path) -> None:
    (yolo / "images/train/.ipynb_checkpoints").mkdir()
    Image.new("RGB", SIZE).save(yolo / "images/train/.ipynb_checkpoints/0.png")
    (yolo / "labels/train/7.txt").write_text("0 0.5 0.5 0.25 0.5")
    source = read_yolo(yolo)
    assert len(source.splits["train"]["images"]) == 2
    assert source.notes[0] == "1 label file without an image: 7.txt"
    (yolo / "images/train/gone.png").symlink_to(yolo / "nothing")
    with pytest.raises(InputError, match=r"gone\.png is a link to nothing"):
        read_yolo(yolo)


def line(text: str) -> Callable[[Path], object]:
    return lambda root: label(root, text)


def listed(text: str) -> Callable[[Path], object]:
    return lambda root: (root / "data.yaml").write_text(text)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a class too many": (line("2 .5 .5 .1 .1"), r"0\.txt, line 1: class 2 of classes 0 to 1"),
    "half a class": (line("0.5 .5 .5 .1 .1"), "class 0.5 of classes"),
    "a negative class": (line("-1 .5 .5 .1 .1"), "class -1 of"),
    "four numbers": (line("0 .5 .5 .1"), "4 numbers; a label is"),
    "a confidence behind it": (line("0 .5 .5 .1 .1 .9"), "6 numbers; a label is"),
    "words": (line("cat .5 .5 .1 .1"), "'cat .5 .5 .1 .1' is no label"),
    "pixels": (line("0 15 5 10 10"), "15 5 10 10: not fractions of the image"),
    "nan": (line("0 nan .5 .1 .1"), "not fractions"),
    "an empty box": (line("0 .5 .5 0 .1"), "the box is empty"),
    "a box that ends outside": (
        line("0 .9 .5 .5 .1"),
        r"0\.txt, line 1: the box goes from 0.65 to 1.15 in x, 6 pixels beyond the image",
    ),
    "a box that begins outside": (line("0 .5 .1 .1 .4"), "goes from -0.1 to 0.3 in y, 2 pixels"),
    "a flat polygon": (line("0 .1 .1 .5 .1 .9 .1"), "the box is empty"),
    "binary labels": (
        lambda root: (root / "labels/train/0.txt").write_bytes(b"\xff\x00"),
        r"0\.txt is no UTF-8 text",
    ),
    "a broken image": (
        lambda root: (root / "images/train/0.png").write_bytes(b"no image"),
        r"cannot read image .*0\.png",
    ),
    "two images of one stem": (
        lambda root: Image.new("RGB", SIZE).save(root / "images/train/0.bmp"),
        "two images of one name",
    ),
    "no names": (listed("train: images/train\nval: images/val"), "names must be a list"),
    "key points": (listed(f"{YAML}kpt_shape: [2, 2]"), "labels of key points"),
    "a name that yaml takes for no text": (
        listed("names: [yes, 'no']\ntrain: images/train\nval: images/val"),
        "the class name True is no text; put it in quotes",
    ),
    "a wrong nc": (listed(f"{YAML}nc: 3"), "nc is 3, names are 2"),
    "numbers with a gap": (listed("names: {0: a, 2: b}"), "numbered 0, 2, not from 0"),
    "no val": (listed("names: [a]\ntrain: images/train"), "names no val images"),
    "a folder that is not there": (
        listed("names: [a]\ntrain: images/trian\nval: images/val"),
        "'images/trian' is no folder",
    ),
    "no yaml": (listed("names: [a"), "no valid yaml"),
    "a bare word": (listed("hello"), "needs names, train and val"),
    "no images": (
        lambda root: [file.unlink() for file in (root / "images/val").iterdir()],
        "no image in the val split",
    ),
    "nothing names the classes": (
        lambda root: (root / "data.yaml").unlink(),
        r"no data\.yaml, classes\.txt or obj\.names",
    ),
    "two yamls": (
        lambda root: [
            (root / "data.yaml").rename(root / "a.yaml"),
            (root / "b.yml").write_text(YAML),
        ],
        "several yaml files: a.yaml, b.yml",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_one_line_that_names_the_file(yolo: Path, name: str) -> None:
    spoil, says = BROKEN[name]
    spoil(yolo)
    with pytest.raises(InputError, match=says) as error:
        read_yolo(yolo)
    assert str(yolo) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", ['"/x\\0y"', 300 * "x"])
def test_a_path_that_cannot_be_is_one_of_another_machine(yolo: Path, path: str) -> None:
    file = yolo / "data.yaml"
    file.write_text(YAML.replace("path: .", f"path: {path}"))
    assert set(read_yolo(yolo).splits) == {"train", "val"}


def test_a_way_up_is_taken_as_it_is_written(yolo: Path, tmp_path: Path) -> None:
    """Labels are looked for below the names that data.yaml gives, so images are too."""
    (tmp_path / "far/away").mkdir(parents=True)
    (yolo / "link").symlink_to(tmp_path / "far/away")
    shutil.copytree(yolo / "images", tmp_path / "far/images")
    file = yolo / "data.yaml"
    file.write_text(YAML.replace("train: images", "train: link/../images"))
    images = read_yolo(yolo).splits["train"]["images"]
    assert {Path(image["file_name"]).parent for image in images} == {yolo / "images/train"}
