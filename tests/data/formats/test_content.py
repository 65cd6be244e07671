"""Sizes, names and folders of images, whatever the layout."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from yolox_attn.data.formats.content import (
    Box,
    Labelled,
    by_stem,
    content_of,
    images_below,
    rebased,
    size_of,
)
from yolox_attn.errors import InputError


def test_ids_count_from_one_and_images_are_sorted() -> None:
    images = [
        Labelled(Path("/b.png"), (4, 3), (Box(1, 0, 0, 2, 2), Box(0, 1, 1, 1, 1, difficult=True))),
        Labelled(Path("/a.png"), (8, 6), (Box(0, 0, 0, 5, 5),)),
    ]
    content = content_of(images, ["x", "y"])
    assert [(each["id"], each["file_name"]) for each in content["images"]] == [
        (1, "/a.png"), (2, "/b.png"),
    ]  # fmt: skip
    found = [(each["id"], each["image_id"], each["category_id"]) for each in content["annotations"]]
    assert found == [(1, 1, 1), (2, 2, 2), (3, 2, 1)]
    assert content["annotations"][0]["area"] == 25


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_size_is_that_of_the_image_as_opencv_shows_it(
    tmp_path: Path, turn: int, ending: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.new("RGB", (40, 20)).save(tmp_path / f"a.{ending}", exif=exif)
    assert size_of(tmp_path / f"a.{ending}") == ((20, 40) if turn >= 5 else (40, 20))
    shown = cv2.imdecode(np.fromfile(tmp_path / f"a.{ending}", np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape[1::-1] == size_of(tmp_path / f"a.{ending}")


def test_images_are_found_by_their_endings(tmp_path: Path) -> None:
    for name in ("b.JPG", "deep/a.png", "c.txt", "d.png/none"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in images_below(tmp_path)] == ["b.JPG", "a.png"]
    with pytest.raises(InputError, match="cannot read image"):
        size_of(tmp_path / "b.JPG")
    with pytest.raises(InputError, match=r"two images of one name in x: a\.png and a\.jpg"):
        by_stem([Path("a.png"), Path("a.jpg")], Path("x"))


def test_names_become_relative_to_the_folder_of_all(tmp_path: Path) -> None:
    content = {"images": [{"id": k, "file_name": f"/r/s/{name}"} for k, name in
                          enumerate(("a/1.png", "b/2.png"))]}  # fmt: skip
    relative, folder = rebased(content, Path("x.json"))
    assert folder == Path("/r/s")
    assert [image["file_name"] for image in relative["images"]] == ["a/1.png", "b/2.png"]
    assert content["images"][0]["file_name"] == "/r/s/a/1.png"
    with pytest.raises(InputError, match=r"x\.json: no images"):
        rebased({"images": []}, Path("x.json"))
