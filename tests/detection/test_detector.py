"""A run's detector in Python: what it finds is what the run was judged by."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from short_run import short_run

import yolox_attn
from yolox_attn import load_detector
from yolox_attn.detection.detector import Detector, read_picture
from yolox_attn.errors import InputError
from yolox_attn.runs import read_record


@pytest.fixture(scope="module")
def run(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_run(drawn, tmp_path_factory.mktemp("detector"))


@pytest.fixture(scope="module")
def detector(run: Path) -> Detector:
    lowest = read_record(run).config["test_conf"]
    return load_detector(run, device="cpu", confidence=lowest, batch_size=3)


def files_of(drawn: Path) -> dict[int, Path]:
    content = json.loads((drawn / "annotations/instances_val2017.json").read_text())
    return {each["id"]: drawn / "val2017" / each["file_name"] for each in content["images"]}


def test_it_finds_what_the_run_was_judged_by(drawn: Path, run: Path, detector: Detector) -> None:
    files = files_of(drawn)
    listed = json.loads((run / "detections.json").read_text())
    assert listed
    for image, found in zip(files, detector([*files.values()]), strict=True):
        expected = sorted((e for e in listed if e["image_id"] == image), key=lambda e: -e["score"])
        assert found.scores == pytest.approx([e["score"] for e in expected], abs=1e-5)
        assert [number + 1 for number in found.class_ids] == [e["category_id"] for e in expected]
        assert found.class_names == [detector.names[number] for number in found.class_ids]
        left, top, right, bottom = found.xyxy.T
        boxes = np.array([e["bbox"] for e in expected])
        corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]).clip(0, 96)
        assert np.stack([left, top, right, bottom], 1) == pytest.approx(corners, abs=1e-2)
    assert detector.names == ("disc", "ring", "square", "grate", "star")


def test_path_array_and_pil_image_are_one(drawn: Path, detector: Detector) -> None:
    file = next(iter(files_of(drawn).values()))
    array = cv2.imread(str(file))
    found = [detector(each) for each in (file, str(file), array, Image.open(file))]
    assert len(found[0]) > 0
    for other in found[1:]:
        assert np.array_equal(other.xyxy, found[0].xyxy)
        assert np.array_equal(other.scores, found[0].scores)
    assert detector([]) == []


def test_batches_change_nothing(drawn: Path, run: Path, detector: Detector) -> None:
    files = [*files_of(drawn).values()]
    single = load_detector(run / "best_ckpt.pth", device="cpu", confidence=0.0, batch_size=1)
    for ours, theirs in zip(detector(files), single(files), strict=True):
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-5)


def test_confidence_and_nms_are_thresholds(drawn: Path, run: Path, detector: Detector) -> None:
    file = next(iter(files_of(drawn).values()))
    every = detector(file)
    limit = float(np.median(every.scores))
    few = load_detector(run, device="cpu", confidence=limit)(file)
    assert len(few) == int((every.scores >= limit).sum())
    alone = load_detector(run, device="cpu", confidence=0.0, nms_iou=0.0)(file)
    assert len(alone) < len(every)


def test_a_turned_photo_is_seen_as_it_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.fromarray(np.arange(40 * 20 * 3, dtype=np.uint8).reshape(20, 40, 3))
    photo.save(tmp_path / "a.png", exif=exif)
    assert read_picture(tmp_path / "a.png").shape == (40, 20, 3)
    assert np.array_equal(read_picture(Image.open(tmp_path / "a.png")),
                          read_picture(tmp_path / "a.png"))  # fmt: skip
    assert read_picture(np.zeros((4, 5), np.uint8)).shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("nowhere.png", "cannot read image nowhere"),
        (np.zeros((4, 4, 3)), "uint8, got float64"),
        (np.zeros((4, 4, 4), np.uint8), "3 channels"),
        (np.zeros((0, 4, 3), np.uint8), "got uint8"),
    ],
)
def test_what_is_no_image_is_refused(image: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_picture(image)


def test_what_is_no_run_is_refused(run: Path, tmp_path: Path) -> None:
    for source, says in ((tmp_path / "no", "no run folder"), (tmp_path, "not a run folder")):
        with pytest.raises(InputError, match=says):
            load_detector(source)
    with pytest.raises(InputError, match="confidence 2: from 0 to 1"):
        load_detector(run, confidence=2)
    with pytest.raises(InputError, match="batch_size 0: at least 1"):
        load_detector(run, batch_size=0)


def test_names_are_those_of_the_training_though_the_json_was_edited(
    drawn: Path, run: Path, tmp_path: Path
) -> None:
    data, copy = tmp_path / "data", tmp_path / "run"
    shutil.copytree(drawn, data)
    shutil.copytree(run, copy)
    record = (copy / "run.json").read_text().replace(str(drawn), str(data))
    (copy / "run.json").write_text(record)
    names = load_detector(copy, device="cpu").names
    file = data / "annotations/instances_val2017.json"
    file.write_text(file.read_text().replace('"disc"', '"dish"'))
    assert sorted(load_detector(copy, device="cpu").names) == sorted(names)


def test_the_package_itself_imports_nothing_until_it_is_asked() -> None:
    code = "import sys, yolox_attn; assert 'torch' not in sys.modules; yolox_attn.load_detector"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(hasattr(yolox_attn, name) for name in yolox_attn.INTERFACE)
    assert not hasattr(yolox_attn, "nothing")
