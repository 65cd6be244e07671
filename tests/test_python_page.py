"""docs/python.md: its Python runs, and it names the whole interface."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judged_runs import study  # noqa: F401 - a fixture
from run_folders import write_run  # noqa: F401 - a fixture
from short_run import short_run

import yolox_attn
from yolox_attn import load_detector
from yolox_attn.cli.export import main as export

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
DETECTOR, COMPARISON, BLOCKS, WITHOUT_TORCH = re.findall(
    r"^```python\n(.*?)^```$", PAGE, re.M | re.S
)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "docs/python.md", "exec"), names)
    return names


def test_its_table_is_the_interface() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(yolox_attn.INTERFACE)
    assert set(re.findall(r"`(\w+)`", str(yolox_attn.__doc__))) == set(yolox_attn.INTERFACE)


def test_a_detector(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "YOLOX_outputs/yolox_s_cam"
    place.mkdir(parents=True)
    (place / "seed0").symlink_to(short_run(drawn, tmp_path))
    photos = sorted((drawn / "val2017").iterdir())
    for name, photo in zip(("photo.jpg", "other.png"), photos, strict=False):
        shutil.copy(photo, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(run(DETECTOR)["several"]) == 2


def test_a_comparison(
    study: Callable[..., Path],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, blur in (("yolox_s", 0.2), ("yolox_s_cam", 0.05)):
        for seed in range(4):
            folder = study.write(name, seed, blur + 0.01 * seed)
            shutil.move(folder, tmp_path / "YOLOX_outputs" / name / folder.name)
    monkeypatch.chdir(tmp_path)
    names = run(COMPARISON)
    out = capsys.readouterr().out
    assert "yolox_s_cam helps" in " ".join(out.split())
    assert re.search(r"^yolox_s_cam helps: \+0\.\d{4} \[\+0\.\d{4}, \+0\.\d{4}\]$", out, re.M)
    ((_, judgement),) = names["first"].judged()
    assert judgement.seeds == (0, 1, 2)


def test_blocks_and_experiments() -> None:
    names = run(BLOCKS)
    assert [each.shape[-1] for each in names["levels"]] == [40, 20, 10]
    assert {*names["model"].backbone.backbone.attention} == {"dark3", "dark4", "dark5"}


@pytest.mark.slow
def test_boxes_without_torch(drawn: Path, tmp_path: Path) -> None:
    """The script as it stands, by a Python that cannot import torch or this package."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    run, file = short_run(drawn, tmp_path), tmp_path / "small.onnx"
    pictures = sorted((drawn / "val2017").iterdir())[:3]
    scores = load_detector(run, device="cpu", confidence=0.0)(pictures[0]).scores
    confidence = float(scores[4:6].mean())
    assert export(["-c", str(run), "--nms", "--conf", str(confidence), "-o", str(file)]) == 0
    script = "import sys; sys.modules.update(torch=None, yolox=None, yolox_attn=None)\n"
    (tmp_path / "boxes.py").write_text(script + WITHOUT_TORCH)
    words = [sys.executable, "boxes.py", str(file), *map(str, pictures)]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    expected = load_detector(run, device="cpu", confidence=confidence)([*pictures])
    assert len(expected[0]) == 5
    lines = [line.rpartition(": ")[2].split() for line in ended.stdout.splitlines()]
    for found in expected:
        mine, lines = lines[: len(found)], lines[len(found) :]
        assert sorted(each[0] for each in mine) == sorted(found.class_names)
        numbers = np.array([[float(word) for word in each[1:]] for each in mine])
        theirs = np.column_stack([found.scores, found.xyxy])
        # So early in a training many boxes are as good: any order of them is right.
        one, other = (each[np.lexsort(each[:, 1:3].round().T)] for each in (numbers, theirs))
        np.testing.assert_allclose(one[:, 0], other[:, 0], atol=1e-3)
        np.testing.assert_allclose(one[:, 1:], other[:, 1:], atol=0.1)
    assert not lines
