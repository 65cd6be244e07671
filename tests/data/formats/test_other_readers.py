"""What other libraries read of the same Pascal VOC and YOLO files: globox and hotcoco.

Compared are boxes by file and class name, as ids and order are each library's own.
"""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from layouts import as_voc, as_yolo

from yolox_attn.data.formats.voc import read_voc
from yolox_attn.data.formats.yolo import read_yolo

Box: TypeAlias = tuple[str, float, float, float, float]  # class, left, top, width, height
Boxes: TypeAlias = dict[str, list[Box]]  # of each image, by its file's stem


def boxes_of(contents: Iterable[dict[str, Any]]) -> Boxes:
    """Return the boxes of COCO jsons."""
    found: Boxes = {}
    for content in contents:
        names = {entry["id"]: entry["name"] for entry in content["categories"]}
        stems = {image["id"]: Path(image["file_name"]).stem for image in content["images"]}
        found |= {stem: [] for stem in stems.values()}
        for entry in content["annotations"]:
            box = (round(each, 6) for each in entry["bbox"])
            found[stems[entry["image_id"]]].append((names[entry["category_id"]], *box))
    return {stem: sorted(boxes) for stem, boxes in found.items()}


def globox_boxes(annotations: Any, names: list[str] | None = None) -> Boxes:
    """Return the boxes of a globox AnnotationSet; `names` are those of the classes by number."""
    return {
        Path(each.image_id).stem: sorted(
            (
                names[int(box.label)] if names else box.label,
                *(round(n, 6) for n in (box.xmin, box.ymin, box.width, box.height)),
            )
            for box in each.boxes
        )
        for each in annotations
    }


@pytest.fixture
def voc(drawn: Path, tmp_path: Path) -> Path:
    """The drawn set as Pascal VOC; an image without objects, a difficult box."""
    root = as_voc(drawn, tmp_path / "voc")
    for number, file in enumerate(sorted((root / "Annotations").iterdir())):
        text = file.read_text()
        if number == 0:
            text = re.sub("<object>.*</object>", "", text)
        if number == 1:
            text = text.replace("<difficult>0", "<difficult>1", 1)
        name = f"<annotation><folder>x</folder><filename>{file.stem}.png</filename>"
        file.write_text(text.replace("<annotation>", name))
    return root


@pytest.fixture
def yolo(drawn: Path, tmp_path: Path) -> Path:
    """The drawn set as YOLO; an image without objects."""
    root = as_yolo(drawn, tmp_path / "yolo")
    min((root / "labels/train").iterdir()).write_text("")
    return root


def names_of(content: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in content["categories"]]


def test_globox_reads_the_same_voc_but_for_the_first_pixel(voc: Path) -> None:
    """It takes corners as they stand: counted from 1, the right and lower pixel not in the box."""
    globox = pytest.importorskip("globox")
    ours = boxes_of(read_voc(voc).splits.values())
    assert sum(map(len, ours.values())) > 20
    assert [] in ours.values()
    theirs = globox_boxes(globox.AnnotationSet.from_pascal_voc(voc / "Annotations"))
    assert theirs == {
        stem: sorted((name, x + 1, y + 1, w - 1, h - 1) for name, x, y, w, h in boxes)
        for stem, boxes in ours.items()
    }


def test_globox_reads_the_same_yolo(yolo: Path) -> None:
    globox = pytest.importorskip("globox")
    splits = read_yolo(yolo).splits
    assert [] in boxes_of([splits["train"]]).values()
    for split, content in splits.items():
        theirs = globox.AnnotationSet.from_yolo_v5(
            yolo / "labels" / split, image_folder=yolo / "images" / split, image_extension=".png"
        )
        assert globox_boxes(theirs, names_of(content)) == boxes_of([content])


def test_hotcoco_reads_the_same_voc(voc: Path) -> None:
    hotcoco = pytest.importorskip("hotcoco")
    theirs = hotcoco.COCO.from_voc(str(voc)).dataset
    assert boxes_of([theirs]) == boxes_of(read_voc(voc).splits.values())


def test_hotcoco_reads_the_same_yolo(yolo: Path) -> None:
    """A split at a time, with data.yaml among its labels: of the whole set it finds no image."""
    hotcoco = pytest.importorskip("hotcoco")
    for split, content in read_yolo(yolo).splits.items():
        labels = yolo / "labels" / split
        shutil.copy(yolo / "data.yaml", labels)
        theirs = hotcoco.COCO.from_yolo(str(labels), images_dir=str(yolo / "images" / split))
        assert boxes_of([theirs.dataset]) == boxes_of([content])
