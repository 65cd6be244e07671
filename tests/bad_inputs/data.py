"""Data folders and images that cannot be read, or are not what the annotations say."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bad_inputs.case import Case, Place

from yolox_attn.data.formats.convert import LOOKED_FOR

FIRST = "train2017/000001.png"


def in_folder(spoil: Callable[[Path], Any]) -> Callable[[Place], None]:
    """Return what spoils a copy of the data folder."""

    def change(place: Place) -> None:
        spoil(place.own_data())

    return change


def holding(content: bytes, name: str = FIRST) -> Callable[[Place], None]:
    """Return what puts `content` in the place of an image."""
    return in_folder(lambda data: (data / name).write_bytes(content))


def cut_png(data: Path) -> None:
    (data / FIRST).write_bytes((data / FIRST).read_bytes()[:-2000])


def of_size(height: int, width: int, name: str = FIRST) -> Callable[[Place], None]:
    image = np.full((height, width, 3), 99, dtype=np.uint8)
    return in_folder(lambda data: cv2.imwrite(str(data / name), image))


def jpeg(place: Place, width: int, header: bytes = b"", cut: int = 0) -> None:
    """Make the first image a JPEG 48 high, `header` behind its first mark, `cut` bytes short."""
    noise = np.random.default_rng(0).integers(0, 255, (48, width, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    content = content[:2] + header + content[2 : len(content) - cut]

    def rename(annotations: dict[str, Any]) -> None:
        annotations["images"][0] |= {"file_name": "first.jpg", "width": 96, "height": 48}

    place.change_json(rename)
    (place.data / "train2017/first.jpg").write_bytes(content)


def turned(place: Place) -> None:
    """Turn the image by its EXIF mark, and give it a size that it has neither way."""
    entry = struct.pack("<HHII", 0x0112, 3, 1, 6)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    jpeg(place, 80, b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)


def a_folder_for_an_image(data: Path) -> None:
    (data / "val2017/000004.png").unlink()
    (data / "val2017/000004.png").mkdir()


def lost_links(data: Path) -> None:
    for name in ("000001.png", "000003.png"):
        (data / "val2017" / name).unlink()
        (data / "val2017" / name).symlink_to("gone.png")


def another_train_file(data: Path) -> None:
    folder = data / "annotations"
    shutil.copy(folder / "instances_train2017.json", folder / "instances_train2014.json")


def rescaled(change: Callable[[list[float]], list[float]]) -> Callable[[Place], None]:
    """Return what changes every box of the training split."""

    def edit(content: dict[str, Any]) -> None:
        for entry in content["annotations"]:
            entry["bbox"] = change(entry["bbox"])

    return lambda place: place.change_json(edit)


def refused(name: str, what: str, spoil: Callable[[Place], Any]) -> Case:
    """What the data doctor finds."""
    hint = "yolox-attn doctor lists all, --skip-doctor trains nonetheless"
    return Case(name, f"the data cannot be trained on: {what}; {hint}", spoil=spoil)


CASES = [
    Case("no folder", "no data folder <root>/nowhere", "--data <root>/nowhere"),
    Case("a file for a folder", "no data folder <exp>", "--data <exp>"),
    Case("an empty folder",
         f"no data set in <root>/empty: looked for {LOOKED_FOR}; it holds: nothing",
         "--data <root>/empty", lambda place: (place.root / "empty").mkdir()),
    Case("data_dir nowhere",
         "cannot read annotation file <root>/nowhere/annotations/instances_train2017.json: No such "
         "file or directory", "data_dir <root>/nowhere"),
    Case("no annotations folder",
         f"no data set in <data>: looked for {LOOKED_FOR}; it holds: manifest.json, train2017, "
         "val2017",
         spoil=in_folder(lambda data: shutil.rmtree(data / "annotations"))),
    Case("no train file",
         "no train annotations in <data>/annotations: instances_train2017.json or another name "
         "with 'train'; it holds: instances_val2017.json",
         spoil=in_folder(lambda data: (data / "annotations/instances_train2017.json").unlink())),
    Case("two train files",
         "<data>/annotations has more than one train file: instances_train2014.json, "
         "instances_train2017.json", spoil=in_folder(another_train_file)),
    Case("no image folder", "the images of <val> (000001.png) are not in <data>",
         spoil=in_folder(lambda data: shutil.rmtree(data / "val2017"))),
    Case("an image missing", "1 of 12 images of <train> are not in <data>/train2017: 000001.png",
         spoil=in_folder(lambda data: (data / FIRST).unlink())),
    Case("links into nowhere",
         "2 of 5 images of <val> are not in <data>/val2017: 000001.png, 000003.png",
         spoil=in_folder(lost_links)),
    Case("a folder for an image", "1 of 5 images of <val> are not in <data>/val2017: 000004.png",
         spoil=in_folder(a_folder_for_an_image)),
    refused("an empty image",
            "train: images that cannot be read (of 12 looked at): 1 (000001.png: empty)",
            holding(b"")),
    refused("a text for an image",
            "train: images that cannot be read (of 12 looked at): 1 (000001.png: no image)",
            holding(b"no pixels here")),
    refused("a text for a val image",
            "val: images that cannot be read (of 5 looked at): 1 (000002.png: no image)",
            holding(b"none here either", "val2017/000002.png")),
    refused("a cut PNG",
            "train: images that are cut off (of 12 looked at): 1 (000001.png: its end is missing)",
            in_folder(cut_png)),
    refused("a cut JPEG",
            "train: images that are cut off (of 12 looked at): 1 (first.jpg: its end is missing)",
            lambda place: jpeg(place, 96, cut=900)),
    refused("another size",
            "train: images of another size than the json says: boxes would be misplaced (of 12 "
            "looked at): 1 (000001.png: 80x96, the json says 96x96)", of_size(96, 80)),
    refused("another size in val",
            "val: images of another size than the json says: boxes would be misplaced (of 5 looked "
            "at): 1 (000003.png: 96x48, the json says 96x96)",
            of_size(48, 96, "val2017/000003.png")),
    refused("turned, and another size",
            "train: images of another size than the json says: boxes would be misplaced (of 12 "
            "looked at): 1 (first.jpg: 80x48, the json says 96x48)", turned),
    refused("boxes from 0 to 1",
            "train: all boxes lie between 0 and 1: COCO wants pixels, not shares of the image: 89",
            rescaled(lambda box: [side / 97 for side in box])),
    refused("boxes of two corners",
            "train: the boxes look like x1, y1, x2, y2: COCO wants x, y, width, height: 89",
            rescaled(lambda box: [40, 40, 90, 90])),
]  # fmt: skip
