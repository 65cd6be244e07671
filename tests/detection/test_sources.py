"""What may be looked at, under which names; and videos to their last readable frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from yolox_attn.detection.sources import Source, Video, find_sources, still
from yolox_attn.errors import InputError


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    return path


def film(path: Path, frames: int = 30, size: tuple[int, int] = (64, 48)) -> Path:
    """A video whose frames can be told apart by their grey."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    assert writer.isOpened()
    for k in range(frames):
        writer.write(np.full((size[1], size[0], 3), 8 * k, np.uint8))
    writer.release()
    return path


def test_files_folders_patterns_and_cameras(tmp_path: Path) -> None:
    for name in ("a.png", "deep/b.PNG", "deep/er/c.jpg"):
        image(tmp_path / "set" / name)
    (tmp_path / "set/notes.txt").touch()
    single = image(tmp_path / "图 片.png")
    words = [str(tmp_path / "set"), str(single), str(tmp_path / "set/deep/**/*.jpg"), "camera:3"]
    sources = find_sources(words)
    assert [each.name for each in sources] == [
        "a.png", "deep/b.PNG", "c.jpg", "图 片.png", "camera3",
    ]  # fmt: skip
    assert [each.moves for each in sources] == [False] * 4 + [True]
    assert sources[-1].camera == 3
    assert still(sources[3]).pixels.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.png"], r"nowhere\.png: no such image, folder or video"),
        (["*.none"], "no such image"),
        (["empty"], "no image and no video in this folder"),
        (["a.txt"], "neither image nor video, by its ending: "),
        (["one/a.png", "two/a.png"], "are both called a.png: name the folder above"),
    ],
)
def test_what_is_not_there_or_not_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("a.txt").touch()
    image(Path("one/a.png"))
    image(Path("two/a.png"))
    with pytest.raises(InputError, match=says):
        find_sources(words)


def test_a_video_is_read_frame_by_frame(tmp_path: Path) -> None:
    video = Video(Source("a.avi", film(tmp_path / "a.avi")))
    assert (video.rate, video.size, video.announced) == (10, (64, 48), 30)
    frames = list(video)
    assert [frame.number for frame in frames] == list(range(30))
    assert np.mean(frames[20].pixels) == pytest.approx(160, abs=4)
    assert video.read == 30


def test_a_video_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"cannot open video .*a\.mp4"):
        Video(Source("a.mp4", tmp_path / "a.mp4"))
