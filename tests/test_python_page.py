"""docs/python.md: its Python runs, and it names the whole interface."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from judged_runs import study  # noqa: F401 - a fixture
from run_folders import write_run  # noqa: F401 - a fixture
from short_run import short_run

import yolox_attn

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
DETECTOR, COMPARISON, BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)


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
