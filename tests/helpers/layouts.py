"""A set in COCO layout, written anew as Pascal VOC, as YOLO and as Roboflow exports it."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

SPLITS = {"train": "train2017", "val": "val2017"}


def content_of(coco: Path, split: str) -> dict[str, Any]:
    """The json of a split."""
    return json.loads((coco / f"annotations/instances_{split}2017.json").read_text())


def boxes_of(content: dict[str, Any], image: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in content["annotations"] if entry["image_id"] == image["id"]]


def names_of(content: dict[str, Any]) -> dict[int, str]:
    return {entry["id"]: entry["name"] for entry in content["categories"]}


def as_voc(coco: Path, root: Path, *, newline: str = "\n") -> Path:
    """Pascal VOC, corners counted from 1; boxes must lie on whole pixels."""
    (root / "Annotations").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    (root / "ImageSets/Main").mkdir(parents=True)
    for split, folder in SPLITS.items():
        content = content_of(coco, split)
        names, stems = names_of(content), []
        for image in content["images"]:
            stem = f"{split}_{Path(image['file_name']).stem}"
            stems.append(stem)
            file = coco / folder / image["file_name"]
            shutil.copy(file, root / "JPEGImages" / f"{stem}{file.suffix}")
            objects = [(names[e["category_id"]], e["bbox"], 0) for e in boxes_of(content, image)]
            write_xml(root, stem, (image["width"], image["height"]), objects)
        listing = root / f"ImageSets/Main/{split}.txt"
        listing.write_bytes(newline.join([*stems, ""]).encode())
    order = [names_of(content)[number] for number in sorted(names_of(content))]
    (root / "classes.txt").write_bytes(newline.join(order).encode())
    return root


def as_roboflow_voc(coco: Path, root: Path) -> Path:
    """Roboflow's Pascal VOC export, XMLs beside images; classes.txt, which it lacks, for order."""
    voc = as_voc(coco, root / "voc")
    for split, name in (("train", "train"), ("val", "valid")):
        (root / name).mkdir()
        for folder in ("Annotations", "JPEGImages"):
            for file in (voc / folder).glob(f"{split}_*"):
                file.rename(root / name / file.name)
    (voc / "classes.txt").rename(root / "classes.txt")
    shutil.rmtree(voc)
    (root / "README.roboflow.txt").write_text("exported")
    return root


def write_xml(
    root: Path, stem: str, size: tuple[int, int], objects: list[tuple[str, list[float], int]]
) -> Path:
    """One image's XML; `objects` are (name, x y width height, difficult)."""
    shown = "".join(
        f"<object><name>{escape(name)}</name><difficult>{difficult}</difficult><bndbox>"
        f"<xmin>{x + 1:g}</xmin><ymin>{y + 1:g}</ymin>"
        f"<xmax>{x + w:g}</xmax><ymax>{y + h:g}</ymax></bndbox></object>"
        for name, (x, y, w, h), difficult in objects
    )
    size_text = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    file = root / "Annotations" / f"{stem}.xml"
    file.write_text(f"<annotation>{size_text}{shown}</annotation>", encoding="utf-8")
    return file


def as_yolo(coco: Path, root: Path, *, yaml: bool = True, polygons: bool = False) -> Path:
    """YOLO: images/SPLIT beside labels/SPLIT, classes in data.yaml or in classes.txt."""
    for split, folder in SPLITS.items():
        content = content_of(coco, split)
        places = {number: place for place, number in enumerate(sorted(names_of(content)))}
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for image in content["images"]:
            file = Path(image["file_name"])
            shutil.copy(coco / folder / file, root / "images" / split / file.name)
            lines = []
            for entry in boxes_of(content, image):
                x, y, w, h = entry["bbox"]
                width, height = image["width"], image["height"]
                if polygons:
                    corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
                    numbers = [n for px, py in corners for n in (px / width, py / height)]
                else:
                    numbers = [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]
                lines.append(" ".join(map(repr, [places[entry["category_id"]], *numbers])))
            (root / "labels" / split / f"{file.stem}.txt").write_text("\n".join(lines))
    names = [names_of(content)[number] for number in sorted(names_of(content))]
    if yaml:
        listing = "".join(f"  {place}: {name}\n" for place, name in enumerate(names))
        text = f"path: .\ntrain: images/train\nval: images/val\nnames:\n{listing}"
        (root / "data.yaml").write_text(text)
    else:
        (root / "classes.txt").write_text("\n".join(names))
    return root


def as_roboflow(coco: Path, root: Path) -> Path:
    """Roboflow's COCO export: jsons among the images, ids from 0, a category of all others."""
    for split, name in (("train", "train"), ("val", "valid")):
        content = content_of(coco, split)
        (root / name).mkdir(parents=True)
        for image in content["images"]:
            shutil.copy(coco / SPLITS[split] / image["file_name"], root / name)
        for entry in content["categories"]:
            entry["supercategory"] = "things"
        group = {"id": 0, "name": "things", "supercategory": "none"}
        content["categories"].insert(0, group)
        for number, entry in enumerate(content["annotations"]):
            entry["id"] = number
        (root / name / "_annotations.coco.json").write_text(json.dumps(content))
    return root
