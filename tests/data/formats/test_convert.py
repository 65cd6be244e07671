"""Whatever layout a set comes in, the same images and boxes come out."""

import json
import shutil
from pathlib import Path

import pytest
from layouts import SPLITS, as_roboflow, as_roboflow_voc, as_voc, as_yolo, content_of

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.coco_folder import read_coco_folder
from yolox_attn.data.formats import convert, converted
from yolox_attn.errors import InputError

LAYOUTS = {
    "voc": lambda coco, root: as_voc(coco, root, newline="\r\n"),
    "yolo": as_yolo,
    "yolo by classes.txt": lambda coco, root: as_yolo(coco, root, yaml=False),
    "yolo polygons": lambda coco, root: as_yolo(coco, root, polygons=True),
    "roboflow": as_roboflow,
    "roboflow's voc": as_roboflow_voc,
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def items(folder: Path, split: str) -> list[tuple]:
    """What a detector sees of a split: boxes with classes, and the pixels."""
    data = CocoDetection(str(folder), f"instances_{split}2017.json", SPLITS[split], (96, 96))
    return [(data.load_anno(k).tolist(), data.load_image(k).tobytes()) for k in range(len(data))]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_images_boxes_and_classes(
    drawn: Path, tmp_path: Path, layout: str
) -> None:
    root = LAYOUTS[layout](drawn, tmp_path / "a set, 数据")
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*")}
    folder = converted(root)
    assert read_coco_folder(folder).classes == read_coco_folder(drawn).classes
    for split in SPLITS:
        ours, theirs = items(folder, split), items(drawn, split)
        assert len(ours) == len(theirs) > 0
        for (boxes, pixels), (expected, same) in zip(ours, theirs, strict=True):
            assert sorted(boxes) == [pytest.approx(row, abs=1e-9) for row in sorted(expected)]
            assert pixels == same
        ids = [entry["id"] for entry in content_of(folder, split)["annotations"]]
        assert layout == "roboflow" or ids == list(range(1, len(ids) + 1))
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*")} == before
    assert converted(folder) == folder


def test_annotations_in_small_letters_are_those_of_voc_too(drawn: Path, tmp_path: Path) -> None:
    """As many shared sets have it: annotations/*.xml beside images/."""
    root = as_voc(drawn, tmp_path / "voc")
    (root / "Annotations").rename(root / "annotations")
    (root / "JPEGImages").rename(root / "images")
    assert items(converted(root), "val") == items(drawn, "val")


def test_it_is_converted_once_until_a_file_of_it_changes(drawn: Path, tmp_path: Path) -> None:
    root = as_voc(drawn, tmp_path / "voc")
    folder = converted(root)
    file = folder / "annotations/instances_train2017.json"
    made = file.stat().st_mtime_ns
    assert converted(root) == folder
    assert file.stat().st_mtime_ns == made
    file.write_text("{}")  # damaged: made again
    assert converted(root) == folder
    assert json.loads(file.read_text())["images"]
    xml = next((root / "Annotations").glob("val_*.xml"))
    xml.write_text(xml.read_text().replace("<difficult>0", "<difficult>1"))
    assert converted(root) != folder


@pytest.mark.parametrize("how", ["by its path", "by a link"])
def test_images_that_lie_elsewhere_are_never_taken_from_an_old_conversion(
    drawn: Path, tmp_path: Path, how: str
) -> None:
    root = as_yolo(drawn, tmp_path / "far")
    (tmp_path / "near").mkdir()
    if how == "by its path":
        text = (root / "data.yaml").read_text().replace("path: .", f"path: {root}")
        (tmp_path / "near/data.yaml").write_text(text)
    else:
        (tmp_path / "near/data.yaml").write_text((root / "data.yaml").read_text())
        for kind in ("images", "labels"):
            (tmp_path / "near" / kind).symlink_to(root / kind)
    before = converted(tmp_path / "near")
    assert converted(tmp_path / "near") == before
    next((root / "labels/train").iterdir()).write_text("0 0.5 0.5 0.5 0.5")
    after = converted(tmp_path / "near")
    assert items(after, "train") != items(before, "train")


def test_a_data_yaml_itself_is_a_set_too(drawn: Path, tmp_path: Path) -> None:
    root = as_yolo(drawn, tmp_path / "yolo")
    assert converted(root / "data.yaml").is_dir()
    assert converted(root).is_dir()


def test_jsons_find_their_images_by_path_or_by_name(drawn: Path, tmp_path: Path) -> None:
    root = tmp_path / "loose"
    for split, folder in SPLITS.items():
        content = content_of(drawn, split)
        shutil.copytree(drawn / folder, root / "pictures" / split)
        for image in content["images"]:
            below = "pictures/train/" if split == "train" else ""  # val: by name
            image["file_name"] = below + image["file_name"]
        names = {"train": "my_train.json", "val": "my_validation.json"}
        (root / names[split]).write_text(json.dumps(content))
    with pytest.raises(InputError, match="is at several places: pictures/train"):
        converted(root)  # both splits number their files from 1
    for file in (root / "pictures/val").iterdir():
        file.rename(file.with_name(f"v{file.name}"))
    content = json.loads((root / "my_validation.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"v{image['file_name']}"
    (root / "my_validation.json").write_text(json.dumps(content))
    folder = converted(root)
    assert items(folder, "train") == items(drawn, "train")
    assert items(folder, "val") == items(drawn, "val")
    next((root / "pictures/val").iterdir()).unlink()
    with pytest.raises(InputError, match=r"1 image of .*my_validation\.json not below"):
        converted(root)


def test_a_folder_that_is_no_set_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some/readme.md").touch()
    with pytest.raises(InputError, match=r"looked for annotations/ .*VOC.*; it holds: readme\.md"):
        converted(tmp_path / "some")
    with pytest.raises(InputError, match="no data folder"):
        converted(tmp_path / "none")


def test_an_explicit_conversion_leaves_what_is_there_alone(drawn: Path, tmp_path: Path) -> None:
    root, output = as_voc(drawn, tmp_path / "voc"), tmp_path / "out"
    made = convert(root, output)
    assert (made.folder, made.layout) == (output, "Pascal VOC")
    assert made.counts["train"][0] == len(content_of(drawn, "train")["images"])
    assert items(output, "val") == items(drawn, "val")
    assert (output / "train2017").resolve() == root / "JPEGImages"
    with pytest.raises(InputError, match="not empty"):
        convert(root, output)
    with pytest.raises(InputError, match="already: --data takes it"):
        convert(output, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    next((root / "Annotations").iterdir()).write_text("<annotation>")
    with pytest.raises(InputError, match="no valid XML"):
        convert(root, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "voc"]
