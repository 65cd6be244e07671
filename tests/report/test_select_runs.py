"""Which runs of folders are compared: what fits stays, the rest is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.report import build_comparison, load_runs, select_runs

WriteRun = Callable[..., Path]


def titles(runs: object) -> list[str]:
    return [each.title for each in runs]  # type: ignore[attr-defined]


def write_pairs(write_run: WriteRun, *names: str, seeds: int = 2) -> None:
    for name in ("yolox_s", *names):
        for seed in range(seeds):
            write_run(name, seed)


def test_a_folder_of_seeds_of_variants_and_of_everything(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_pairs(write_run, "yolox_s_cam")
    (tmp_path / "doctor").mkdir()
    everything = ["yolox_s seed 0", "yolox_s seed 1", "yolox_s_cam seed 0", "yolox_s_cam seed 1"]
    for paths in ([tmp_path], [tmp_path / "yolox_s", tmp_path / "yolox_s_cam"]):
        runs, dropped = select_runs(load_runs(*paths))
        assert titles(runs) == everything
        assert not dropped
    runs, _ = select_runs(load_runs(tmp_path / "yolox_s/seed1", tmp_path / "yolox_s_cam"))
    assert titles(runs) == ["yolox_s seed 1", *everything[2:]]


def test_what_has_not_ended_well_leaves_a_folder_and_is_named(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_pairs(write_run, "yolox_s_cam")
    write_run("yolox_s_cam", 2, state="failed", error="no memory left")
    write_run("yolox_s", 2, state="running", epoch=1)
    broken = write_run("yolox_s", 3)
    (broken / "run.json").write_text("{")
    runs, dropped = select_runs(load_runs(tmp_path))
    assert len(runs) == 4
    assert titles(dropped) == ["yolox_s seed 2", str(broken), "yolox_s_cam seed 2"]
    assert "is running" in dropped[0].why
    assert "run.json" in dropped[1].why
    assert "failed: no memory left" in dropped[2].why
    named = tmp_path / "yolox_s_cam/seed2"
    with pytest.raises(InputError, match="the run failed: no memory left"):
        select_runs(load_runs(tmp_path / "yolox_s", named))


def test_another_protocol_leaves_a_folder_but_not_the_command_line(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_pairs(write_run, "yolox_s_cam")
    odd = write_run("yolox_s_se", config={"max_epoch": 5}, epoch=5)
    runs, dropped = select_runs(load_runs(tmp_path))
    assert len(build_comparison(runs).variants) == 2
    assert titles(dropped) == ["yolox_s_se seed 0"]
    assert "max_epoch 3 / 5" in dropped[0].why
    with pytest.raises(InputError, match=r"cannot be compared: .*max_epoch 3 / 5"):
        select_runs(load_runs(tmp_path / "yolox_s/seed0", odd))


def test_what_is_named_says_which_of_two_protocols_is_meant(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_pairs(write_run, "yolox_s_cam")
    for name in ("yolox_s_long", "yolox_s_long_cam"):
        placed = {"attention": {}} if name == "yolox_s_long" else {}
        write_run(name, 0, config={"max_epoch": 5}, epoch=5, **placed)
    with pytest.raises(InputError, match=r"2 protocols: 1\. yolox_s seeds 0, 1 and") as refusal:
        select_runs(load_runs(tmp_path))
    assert "2. yolox_s_long seed 0" in str(refusal.value)
    assert "max_epoch 3 / 5" in str(refusal.value)
    runs, dropped = select_runs(load_runs(tmp_path / "yolox_s/seed0", tmp_path / "yolox_s_cam"))
    assert len(runs) == 3
    assert not dropped
    runs, dropped = select_runs(load_runs(tmp_path / "yolox_s_long/seed0", tmp_path))
    assert titles(runs) == ["yolox_s_long seed 0", "yolox_s_long_cam seed 0"]
    assert len(dropped) == 4


def test_one_variant_and_seed_under_two_protocols_are_two_groups(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_pairs(write_run, "yolox_s_cam")
    for name in ("yolox_s", "yolox_s_cam"):
        folder = tmp_path / "long" / name
        shutil.copytree(tmp_path / name / "seed0", folder)
        record = json.loads((folder / "run.json").read_text())
        record["config"]["max_epoch"], record["epoch"] = 5, 5
        (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"2 protocols: 1\. yolox_s seed.*; 2\. yolox_s seed"):
        select_runs(load_runs(tmp_path))


def test_a_folder_named_twice_is_read_once(write_run: WriteRun, tmp_path: Path) -> None:
    write_pairs(write_run, "yolox_s_cam")
    write_run("yolox_s", 2, state="failed")
    runs, dropped = select_runs(
        load_runs(tmp_path, tmp_path / "yolox_s", tmp_path / "yolox_s/seed0")
    )
    assert len(runs) == 4
    assert titles(dropped) == ["yolox_s seed 2"]


def test_a_baseline_alone_under_another_protocol_is_no_comparison(
    write_run: WriteRun, tmp_path: Path
) -> None:
    write_run("yolox_s")
    write_run("yolox_s_cam", config={"max_epoch": 5}, epoch=5)
    with pytest.raises(InputError, match=r"2 protocols.*max_epoch 3 / 5.*Name the folders of one"):
        select_runs(load_runs(tmp_path))


def test_a_run_with_runs_of_seeds_in_it_is_ambiguous(write_run: WriteRun, tmp_path: Path) -> None:
    write_pairs(write_run, "yolox_s_cam")
    shutil.copy(tmp_path / "yolox_s/seed0/run.json", tmp_path / "yolox_s/run.json")
    with pytest.raises(InputError, match=r"has runs in it \(seed0, seed1\): name those alone"):
        select_runs(load_runs(tmp_path / "yolox_s", tmp_path / "yolox_s_cam"))


def test_a_study_and_an_empty_folder_say_what_to_give(write_run: WriteRun, tmp_path: Path) -> None:
    write_pairs(write_run, "yolox_s_cam")
    (tmp_path / "plan.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match=r"is a study: `.* report .*` judges it"):
        select_runs(load_runs(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no run\.json in it, nor one or two folders down"):
        select_runs(load_runs(tmp_path / "empty"))
    failed = write_run("yolox_s_se", state="failed", error="no disk")
    with pytest.raises(InputError, match=r"no run to compare in .*no disk"):
        select_runs(load_runs(failed.parent))
