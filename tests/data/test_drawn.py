import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from yolox_attn.data import drawn
from yolox_attn.data.cache import is_intact
from yolox_attn.data.coco_folder import read_coco_folder
from yolox_attn.data.drawn import drawn_set
from yolox_attn.data.scenes import draw_scene
from yolox_attn.errors import InputError
from yolox_attn.machine import cache_folder

SMALL = {"train_images": 6, "val_images": 3, "size": 64}


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Scenes as the demo has them, fewer."""
    return drawn_set(tmp_path_factory.mktemp("drawn"), train_images=80, val_images=10)


def test_two_draws_are_equal_byte_for_byte(tmp_path):
    first, second = (drawn_set(tmp_path / name, **SMALL) for name in "ab")
    assert contents(first) == contents(second)
    assert len(contents(first)) == 6 + 3 + 2 + 1


def test_seed_and_split_change_the_pixels(tmp_path):
    first, other = (drawn_set(tmp_path, seed=seed, **SMALL) for seed in (0, 1))
    assert first != other
    images = [*first.rglob("*.png"), *other.rglob("*.png")]
    assert len({path.read_bytes() for path in images}) == len(images) == 18


def test_layout_is_a_coco_folder(usual):
    found = read_coco_folder(usual)
    assert found.classes == ("disc", "ring", "square", "grate", "star")
    assert (found.train.name, found.val.name, found.test) == ("train2017", "val2017", None)
    assert [len(list((usual / name).iterdir())) for name in ("train2017", "val2017")] == [80, 10]
    assert cv2.imread(str(usual / "train2017" / "000001.png")).shape == (160, 160, 3)


def test_scales_classes_and_boxes(usual):
    content = json.loads((usual / "annotations" / "instances_train2017.json").read_text())
    things = content["annotations"]
    areas = np.array([thing["area"] for thing in things])
    small, large = (areas < 32**2).mean(), (areas >= 96**2).mean()
    assert 0.4 < small < 0.8
    assert large > 0.002
    shares = np.bincount([thing["category_id"] for thing in things], minlength=6)[1:] / len(things)
    assert shares.min() > 0.1
    assert 5 < len(things) / 80 < 9
    boxes = np.array([thing["bbox"] for thing in things])
    assert boxes.min() >= 0
    assert (boxes[:, :2] + boxes[:, 2:]).max() <= 160
    assert (areas <= boxes[:, 2] * boxes[:, 3]).all()
    sides = boxes[:, 2:].max(axis=1)
    assert sides.max() > 8 * sides.min()


def test_second_call_draws_nothing(tmp_path, monkeypatch):
    first = drawn_set(tmp_path, **SMALL)
    monkeypatch.setattr(drawn, "draw_scene", None)
    assert drawn_set(tmp_path, **SMALL) == first


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "train2017" / "000002.png").unlink(),
        lambda folder: (folder / "val2017" / "000001.png").write_bytes(b"x"),
        lambda folder: (folder / "annotations" / "instances_val2017.json").write_text("{}"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("["),
        lambda folder: (folder / "manifest.json").write_text("[]"),
    ],
)
def test_damaged_set_is_drawn_again(tmp_path, damage):
    folder = drawn_set(tmp_path, **SMALL)
    before = contents(folder)
    damage(folder)
    assert not is_intact(folder)
    assert drawn_set(tmp_path, **SMALL) == folder
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]  # no rubbish stays


ASK = """
import sys
from pathlib import Path
from yolox_attn.data.drawn import drawn_set
print(drawn_set(Path(sys.argv[1]), train_images=6, val_images=3, size=64))
"""


@pytest.mark.parametrize("damaged", [False, True])
def test_several_processes_may_ask_at_once(tmp_path, damaged):
    if damaged:
        (drawn_set(tmp_path, **SMALL) / "manifest.json").write_text("{}")
    command = [sys.executable, "-c", ASK, str(tmp_path)]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = {process.communicate(timeout=100)[0].strip() for process in asking}
    assert [process.returncode for process in asking] == [0] * 4
    (folder,) = tmp_path.iterdir()
    assert printed == {str(folder)}
    assert is_intact(folder)


def test_race_for_the_place_is_settled(tmp_path, monkeypatch):
    """Another process finishes while we draw: its set stays, ours goes."""
    finished = drawn_set(tmp_path / "elsewhere", **SMALL)
    place = tmp_path / "here" / finished.name

    def draw(*args):
        if finished.exists():
            finished.rename(place)
        return draw_scene(*args)

    mark = finished.stat().st_ino
    monkeypatch.setattr(drawn, "draw_scene", draw)
    assert drawn_set(tmp_path / "here", **SMALL) == place
    assert place.stat().st_ino == mark


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(tmp_path / "deep" / "cache"))
    assert drawn_set(**SMALL).parent == tmp_path / "deep" / "cache"
    monkeypatch.delenv("YOLOX_ATTN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "yolox_attn"


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="set YOLOX_ATTN_CACHE"):
        drawn_set(tmp_path / "file", **SMALL)


def test_others_may_read_the_set(tmp_path):
    mask = os.umask(0o022)
    try:
        folder = drawn_set(tmp_path, **SMALL)
    finally:
        os.umask(mask)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert Path(folder, "manifest.json").stat().st_mode & 0o777 == 0o644
