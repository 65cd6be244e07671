"""Whatever the doctor passes, trains: drawn sets, one step, one evaluation."""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis import strategies as st
from judged_runs import draw_truth
from mutated import VALUES, mutated, written

from yolox_attn.cli.doctor import main as doctor
from yolox_attn.exp import use_data

SMALL = draw_truth(images=4)
PLAUSIBLE = st.sampled_from(
    [0, 1, 2, 3, 4, 7, 0.5, 1e-3, 20, 60.0, 119.5, 120, 300, 301, -3, 2**31, True, "cell", "1.jpg",
     "2.jpg", [0, 0, 1, 1], [10.5, 10.5, 400, 2], [299, 119, 1, 1], [0, 0, 300, 120], {}, []]
)  # fmt: skip


def write_set(folder: Path, content: bytes) -> Path:
    """A set of which `content` is the json of both splits; no image is alike another."""
    rng = np.random.default_rng(0)
    for split in ("train2017", "val2017"):
        (folder / split).mkdir(parents=True)
        for image in SMALL["images"]:
            pixels = rng.integers(0, 255, (image["height"], image["width"], 3), np.uint8)
            cv2.imwrite(str(folder / split / image["file_name"]), pixels)
        path = folder / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.mark.parametrize("examples", [3, pytest.param(300, marks=pytest.mark.slow)])
def test_what_the_doctor_passes_trains(
    examples: int, tiny: Callable, train: Callable, tmp_path: Path
) -> None:
    number = secrets.randbits(32) if examples > 3 else 0
    print(f"seed {number}")
    folder, trained = tmp_path / "data", []

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(mutated(SMALL, PLAUSIBLE | VALUES))
    def each(content: object) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        write_set(folder, written(content))
        assume(doctor(["--data", str(folder), "-o", str(tmp_path / "report")]) == 0)
        exp = tiny(max_epoch=1, eval_interval=1)
        use_data(exp, str(folder))
        trainer = train(exp, overwrite=True)
        trained.append(trainer.metrics)

    each()
    assert len(trained) >= examples
