"""What was measured is kept: to the last bit, under all that it depends on, while intact."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resampled_sets import random_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.errors import InputError
from yolox_attn.stats import measured_cache
from yolox_attn.stats.measured import Measured, Resamples, draw_resamples, measure_file
from yolox_attn.stats.measured_cache import measure_once
from yolox_attn.stats.terms import Terms

TERMS = Terms(replicates=100)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "measured"


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Resamples]:
    """A file of detections, and draws of its images."""
    content, detections = random_set(2)
    path = tmp_path / "D.json"
    path.write_text(json.dumps(detections))
    return path, draw_resamples(truth_from(content), TERMS)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were measured in fact."""
    seen: list[Path] = []

    def noted(path: Path, resamples: Resamples) -> Measured:
        seen.append(path)
        return measure_file(path, resamples)

    monkeypatch.setattr(measured_cache, "measure_file", noted)
    return seen


def same(one: Measured, other: Measured) -> bool:
    return json.dumps(asdict(one), default=np.ndarray.tolist) == json.dumps(
        asdict(other), default=np.ndarray.tolist
    )


def test_the_second_time_nothing_is_matched_and_every_bit_is_the_same(
    made: tuple[Path, Resamples], cache: Path, counted: list[Path]
) -> None:
    first, second = (measure_once(*made) for _ in range(2))
    assert len(counted) == 1
    assert same(first, second)
    assert same(first, measure_file(*made))
    assert len(list(cache.iterdir())) == 1


def test_all_that_it_depends_on_is_in_the_key(
    made: tuple[Path, Resamples], cache: Path, counted: list[Path]
) -> None:
    path, resamples = made
    measure_once(path, resamples)
    truth = resamples.truth
    moved = [{**each, "bbox": [0, 0, 3, 3]} for each in truth.objects]
    for other in (
        draw_resamples(truth, replace(TERMS, replicates=101)),
        draw_resamples(truth, replace(TERMS, seed=1)),
        draw_resamples(replace(truth, objects=tuple(moved)), TERMS),
    ):
        measure_once(path, other)
    detections = json.loads(path.read_text())
    path.write_text(json.dumps(detections[1:]))
    measure_once(path, resamples)
    assert len(counted) == 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-100]),
        lambda file: file.write_bytes(os.urandom(1000)),
        lambda file: np.savez(file, known=np.array("{}")),
        lambda file: np.savez(file, known=np.array([{}], dtype=object)),
    ],
    ids=["empty", "cut", "noise", "fields", "pickle"],
)
def test_what_is_damaged_is_made_anew(
    damage: Callable[[Path], Any], made: tuple[Path, Resamples], cache: Path, counted: list[Path]
) -> None:
    first = measure_once(*made)
    (file,) = cache.iterdir()
    damage(file)
    assert same(first, measure_once(*made))
    assert same(first, measure_once(*made))
    assert len(counted) == 2


def test_a_table_of_another_shape_is_not_believed(
    made: tuple[Path, Resamples], cache: Path, counted: list[Path]
) -> None:
    measure_once(*made)
    (file,) = cache.iterdir()
    with np.load(file) as kept:
        tables = {name: kept[name] for name in kept.files}
    tables["by_class"] = tables["by_class"][:-1]
    np.savez(file, **tables)
    measure_once(*made)
    assert len(counted) == 2


def test_where_nothing_can_be_kept_it_is_measured_each_time(
    made: tuple[Path, Resamples], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    counted: list[Path],
) -> None:  # fmt: skip
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(blocked))
    assert same(measure_once(*made), measure_once(*made))
    assert len(counted) == 2


def test_detections_that_are_not_there_are_named(
    made: tuple[Path, Resamples], cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"gone\.json"):
        measure_once(tmp_path / "gone.json", made[1])
