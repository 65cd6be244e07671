"""docs/judge-your-own.md: its Python runs, and its command judges what that leaves."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from judged_runs import draw_detections, draw_truth, write_json

from yolox_attn.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "judge-your-own.md").read_text(encoding="utf-8")
MAPPING, TORCHVISION = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TRUTH = draw_truth()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "val.json", TRUTH)
    return tmp_path


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "docs/judge-your-own.md", "exec"), names)
    return names


def test_its_first_command_judges_folders_of_seeds(here: Path) -> None:
    for name, blur in (("base", 0.2), ("mine", 0.05)):
        for seed in (0, 1, 2):
            found = draw_detections(TRUTH, blur + 0.01 * seed, seed)
            write_json(here / name / f"seed{seed}.json", found)
    command = re.search(r"^python tools/compare.py (.*)$", PAGE, re.MULTILINE)
    assert command is not None
    assert main(["compare", *shlex.split(command[1])]) == 0
    judged = json.loads((here / "report" / "comparison.json").read_text())
    assert judged["variants"][1]["judgement"]["seeds"] == [0, 1, 2]
    assert judged["variants"][1]["judgement"]["word"] == "helps"


def test_ids_of_ultralytics_become_those_of_the_truth(here: Path) -> None:
    """Its image ids are file names, its classes places in data.yaml plus 1."""
    expected = draw_detections(TRUTH, 0.1, 0)
    names = {image["id"]: Path(image["file_name"]).stem for image in TRUTH["images"]}
    theirs = [
        {**each, "image_id": int(names[each["image_id"]]), "category_id": each["category_id"]}
        for each in expected
    ]
    write_json(here / "predictions.json", theirs)
    run(MAPPING)
    assert json.loads((here / "seed3.json").read_text()) == expected


def test_a_torchvision_detector_writes_what_compare_reads(here: Path) -> None:
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn as detector

    torch.manual_seed(0)
    model = detector(
        weights=None, weights_backbone=None, num_classes=3, box_score_thresh=0.0,
        box_detections_per_img=5,
    )  # fmt: skip
    images = [(image["id"], torch.rand(3, 120, 300)) for image in TRUTH["images"][:3]]
    write = run(TORCHVISION)["write_results"]
    write(model, images, {1: 1, 2: 2}, "a.json")
    found = json.loads((here / "a.json").read_text())
    assert {each["image_id"] for each in found} == {1, 2, 3}
    assert all(x >= 0 and x + w <= 300.01 for x, _, w, _ in (each["bbox"] for each in found))
    write_json(here / "b.json", draw_detections(TRUTH, 0.1, 0))
    words = ["--truth", "val.json", "--detections", "a=a.json", "b=b.json"]
    assert main(["compare", *words]) == 0
