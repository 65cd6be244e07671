"""The detect command on images, folders and videos, whole and broken ones."""

import json
import shutil
from pathlib import Path

import cv2
import pytest
from short_run import short_run

from yolox_attn import load_detector
from yolox_attn.cli.detect import main
from yolox_attn.detection.results import COCO, JSONL


@pytest.fixture(scope="module")
def run(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_run(drawn, tmp_path_factory.mktemp("detect"))


def lines_of(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / JSONL).read_text().splitlines()]


def film(path: Path, pictures: list[Path]) -> Path:
    images = [cv2.imread(str(picture)) for picture in pictures]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 96))
    for image in images:
        writer.write(image)
    writer.release()
    return path


def test_a_folder_is_drawn_and_listed(
    run: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(drawn / "val2017"), "-c", str(run), "--device", "cpu", "-b", "2", "--conf", "0"]
    output = tmp_path / "out"
    assert main([*words, "-o", str(output)]) == 0
    files = sorted((drawn / "val2017").iterdir())
    listed = lines_of(output)
    assert [each["file"] for each in listed] == [file.name for file in files]
    expected = load_detector(run, device="cpu", confidence=0.0)(files[1])
    assert [each["class"] for each in listed[1]["detections"]] == expected.class_names
    for file in files:
        before, after = (cv2.imread(str(each)) for each in (file, output / file.name))
        assert before.shape == after.shape
        assert (before != after).any()
    said = capsys.readouterr().out
    assert "5 images, " in said
    assert "images a second; ms an image: read " in said
    assert main([*words, "-o", str(output)]) == 2
    assert "is there already, and not empty" in capsys.readouterr().err


def test_a_video_is_written_anew_and_a_broken_file_stops_nothing(
    run: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = sorted((drawn / "train2017").iterdir())
    whole = film(tmp_path / "whole.avi", pictures)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    thin = tmp_path / "thin.png"
    thin.write_bytes(cv2.imencode(".png", cv2.imread(str(pictures[0]))[:1, :1].repeat(2000, 1))[1])
    good = Path(shutil.copy(pictures[0], tmp_path / "good.png"))
    sources = [str(each) for each in (broken, thin, good, whole, cut)]
    output = tmp_path / "out"
    assert main([*sources, "-c", str(run), "--device", "cpu", "-o", str(output)]) == 1
    errors = capsys.readouterr().err
    assert "error: broken.png: cannot read image" in errors
    assert "error: thin.png: an image of 2000x1 vanishes at 64x64" in errors
    assert "cut.avi" in errors
    frames = [each["frame"] for each in lines_of(output) if each["file"] == "whole.avi"]
    assert frames == list(range(len(pictures)))
    capture = cv2.VideoCapture(str(output / "whole.avi.mp4"))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == len(pictures)
    assert (output / "good.png").is_file()
    json.loads((output / COCO).read_text())


def test_lists_alone_and_the_first_frames(run: Path, drawn: Path, tmp_path: Path) -> None:
    video = film(tmp_path / "a.avi", sorted((drawn / "train2017").iterdir()))
    output = tmp_path / "out"
    words = ["-c", str(run / "best_ckpt.pth"), "--no-draw", "--frames", "3", "-o", str(output)]
    assert main([str(video), *words, "--device", "cpu"]) == 0
    assert len(lines_of(output)) == 3
    assert not list(output.glob("*.mp4"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-b", "0"], "--batch-size 0: at least 1"),
        (["--conf", "2"], "confidence 2.0: from 0 to 1"),
        (["-c", "nowhere"], "error: no run folder, checkpoint or exported file nowhere"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    run: Path, drawn: Path, tmp_path: Path, words: list[str], says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    output = tmp_path / "out"
    given = [str(drawn / "val2017"), "-c", str(run), "-o", str(output), "--device", "cpu", *words]
    assert main(given) == 2
    assert says in capsys.readouterr().err
    assert not output.exists()
