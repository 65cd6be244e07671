"""One split made two: by content, so that what is added moves nothing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from layouts import as_voc, content_of
from PIL import Image

from yolox_attn.data.formats import Splitting, convert, converted
from yolox_attn.data.formats.split import apart
from yolox_attn.errors import InputError


def content(folder: Path, number: int) -> dict:
    """A set of `number` images of noise; every five are of one video."""
    folder.mkdir(exist_ok=True)
    images = []
    for k in range(number):
        file = folder / f"{k}.png"
        pixels = np.random.default_rng(k).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
        images.append({"id": k + 1, "file_name": str(file), "width": 8, "height": 8, "v": k // 5})
    boxes = [{"id": i["id"], "image_id": i["id"], "category_id": 1, "bbox": [0, 0, 4, 4]}
             for i in images]  # fmt: skip
    return {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}


def ids(part: dict) -> set[int]:
    assert {entry["image_id"] for entry in part["annotations"]} == {i["id"] for i in part["images"]}
    return {image["id"] for image in part["images"]}


def test_adding_images_and_renaming_them_moves_none(tmp_path: Path) -> None:
    few, many = content(tmp_path / "a", 40), content(tmp_path / "b", 100)
    small, large = (apart(each, Splitting(0.7), "set") for each in (few, many))
    assert ids(small["train"]) == {k for k in ids(large["train"]) if k <= 40}
    assert ids(small["train"]) | ids(small["val"]) == set(range(1, 41))
    assert 55 <= len(ids(large["train"])) <= 85
    assert ids(apart(many, Splitting(0.7, seed=1), "set")["train"]) != ids(large["train"])
    assert ids(large["train"]) < ids(apart(many, Splitting(0.9), "set")["train"])


def test_groups_stay_together(tmp_path: Path) -> None:
    parts = apart(content(tmp_path / "a", 100), Splitting(0.6, by="v"), "set")
    videos = [{image["v"] for image in parts[name]["images"]} for name in ("train", "val")]
    assert not videos[0] & videos[1]
    assert len(videos[0] | videos[1]) == 20


def test_groups_of_a_csv_keep_their_side_when_images_are_added(tmp_path: Path) -> None:
    csv = tmp_path / "g.csv"
    csv.write_text("\n".join(["image,group", *(f"{k}.png,film{k // 5}" for k in range(100))]))
    trained = []
    for number in (50, 100):
        part = apart(content(tmp_path / "a", number), Splitting(0.6, by=str(csv)), "set")["train"]
        trained.append({Path(image["file_name"]).stem for image in part["images"]})
    assert trained[0] == {name for name in trained[1] if int(name) < 50}
    csv.write_text("image,group\n0.png,a\n")
    with pytest.raises(InputError, match=r"no group for image '1\.png'"):
        apart(content(tmp_path / "a", 3), Splitting(0.6, by=str(csv)), "set")


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="--split"):
        Splitting(share)


def test_a_part_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="puts all images into train"):
        apart(content(tmp_path / "a", 3), Splitting(0.999), "set")


def test_a_set_without_splits_is_refused_with_the_command_that_makes_them(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "loose"
    shutil.copytree(drawn / "train2017", root / "images")
    shutil.copy(drawn / "annotations/instances_train2017.json", root / "all.json")
    with pytest.raises(InputError, match=r"no validation split of its own: .* --split 0\.8"):
        converted(root)
    made = convert(root, tmp_path / "out", Splitting(0.6))
    numbers = [made.counts[split][0] for split in ("train", "val")]
    assert sum(numbers) == len(content_of(drawn, "train")["images"])
    assert not (tmp_path / "cache").exists() or not any((tmp_path / "cache").iterdir())
    with pytest.raises(InputError, match="has splits of its own: train, val"):
        convert(as_voc(drawn, tmp_path / "voc"), tmp_path / "no", Splitting(0.5))
