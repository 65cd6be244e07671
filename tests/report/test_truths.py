from collections.abc import Callable
from pathlib import Path

import pytest
from judged_runs import DrawnStudy, draw_truth, write_json

from yolox_attn.errors import InputError
from yolox_attn.report import find_runs
from yolox_attn.report.judge_runs import find_truth, named_truth


def test_the_truth_is_where_the_run_says(study: DrawnStudy) -> None:
    runs = find_runs([study.write("yolox_s", 0, 0.1)])
    assert find_truth(runs, None) == study.truth
    assert find_truth(runs, study.truth) == study.truth


@pytest.mark.parametrize("data", [{"dir": None}, {"dir": "gone"}])
def test_a_truth_that_is_nowhere_is_none(
    write_run: Callable[..., Path], data: dict[str, object]
) -> None:
    runs = find_runs([write_run("yolox_s", data=data)])
    assert find_truth(runs, None) is None
    expected = None if data["dir"] is None else Path("gone/annotations/v.json")
    assert named_truth(runs[0]) == expected


def test_runs_without_a_hash_take_the_truth_they_are_given(
    study: DrawnStudy, tmp_path: Path
) -> None:
    """Their AP, taken again, tells whether it is the right one."""
    other = write_json(tmp_path / "other.json", draw_truth(seed=1))
    hashed, bare = (
        find_runs([study.write("yolox_s", seed, 0.1, data={**study.data, **change})])
        for seed, change in enumerate([{}, {"val_sha256": None}])
    )
    assert find_truth(bare, other) == other
    with pytest.raises(InputError, match="is not the truth"):
        find_truth(hashed, other)
