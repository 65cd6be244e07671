import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.report import find_runs, load_runs
from yolox_attn.report.load_runs import attention_in_words, by_variant, read_evaluation
from yolox_attn.runs import hold

WriteRun = Callable[..., Path]


def test_the_runs_of_some_folders(write_run: WriteRun) -> None:
    folders = [write_run("yolox_s"), write_run("yolox_s_cam", 1)]
    runs = find_runs(folders)
    assert [run.title for run in runs] == ["yolox_s seed 0", "yolox_s_cam seed 1"]
    assert [run.folder for run in runs] == folders


def test_places_without_runs_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder"):
        find_runs([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"not a run folder, it has no run\.json"):
        find_runs([tmp_path])


def test_every_run_that_cannot_be_used_is_named_with_what_to_do(write_run: WriteRun) -> None:
    early = {"epoch": 2, "patience": 1, "best_epoch": 1}
    faults = {
        write_run("yolox_s_se", state="running", epoch=2): "the run is running, 2 epochs done; let"
        " it end, or leave it out",
        write_run("yolox_s_eca", state="interrupted", epoch=2): "the run was interrupted, 2 epochs"
        " done; go on with --resume, or leave it out",
        write_run("yolox_s_cbam", state="running", epoch=2): "the run was killed, 2 epochs done;"
        " its process is gone: go on with --resume, or leave it out",
        write_run("yolox_s_acmix", state="odd"): "the run is odd, 3 epochs done; leave it out",
        write_run("yolox_s_x", state="failed", error="OSError: full"): "the run failed: OSError: f",
        write_run("yolox_s_y", state="failed"): "the run failed: no error recorded",
        write_run("yolox_s_z", stopped_early=early): "its validation split ended the run after"
        " epoch 2",
        write_run("yolox_s_cam", ap=None): "the run has no evaluation, so there is no AP",
    }
    with hold(list(faults)[2]):
        pass  # a lock that nobody holds any more
    good = write_run("yolox_s")
    with pytest.raises(InputError) as caught:
        find_runs([good, *faults])
    for folder, fault in faults.items():
        assert f"{folder}: {fault}" in str(caught.value)
    assert str(good) not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_variant_and_seed_twice(write_run: WriteRun, tmp_path: Path) -> None:
    second = write_run("yolox_s", 1).rename(tmp_path / "elsewhere")
    first = write_run("yolox_s", 1, pid=99)
    with pytest.raises(InputError) as caught:
        find_runs([first, second])
    assert f"{first} and {second} are both yolox_s seed 1; leave one out" in str(caught.value)


def test_runs_without_seed_may_repeat_but_not_the_same_run(write_run: WriteRun) -> None:
    first = write_run("yolox_s", None)
    copy = first.rename(first.with_name("copy"))
    other = write_run("yolox_s", None, pid=99)
    assert len(find_runs([copy, other])) == 2
    with pytest.raises(InputError, match=r"are one run \(yolox_s \(no seed\)\) in two places"):
        find_runs([copy, copy])


def test_a_run_is_known_by_its_id_whatever_else_it_says(write_run: WriteRun) -> None:
    """Two containers may begin runs in one second with one process number; a copy may be edited."""
    alike = {"pid": 1, "started": "2026-01-01T00:00:00+00:00", "host": "container"}
    honest = [write_run("yolox_s", seed, run_id=f"{seed}" * 32, **alike) for seed in (0, 1)]
    assert len(find_runs(honest)) == 2
    forged = write_run("yolox_s", 2, run_id="1" * 32, pid=77, started="2026-01-02T00:00:00+00:00")
    with pytest.raises(
        InputError, match=r"seed1 and .*seed2 are one run \(yolox_s seed 2\) in two"
    ):
        find_runs([*honest, forged])
    older = [write_run("yolox_s", seed, **alike) for seed in (3, 4)]
    with pytest.raises(InputError, match="are one run"):
        find_runs(older)


def test_seeds_are_grouped_in_order(write_run: WriteRun) -> None:
    folders = [write_run(*each) for each in (("yolox_s", 10), ("yolox_s_cam", 0), ("yolox_s", 9))]
    groups = by_variant(find_runs(folders))
    assert list(groups) == ["yolox_s", "yolox_s_cam"]
    assert [run.record.seed for run in groups["yolox_s"]] == [9, 10]


@pytest.mark.parametrize(
    "changes",
    [
        {"attention": {"dark3": {"block": "cam", "options": {"reduction": 8}, "parameters": {}}}},
        {"attention_init": "identity"},
    ],
)
def test_two_blocks_of_one_name(write_run: WriteRun, changes: dict[str, object]) -> None:
    runs = find_runs([write_run("yolox_s_cam", 0), write_run("yolox_s_cam", 1, **changes)])
    with pytest.raises(InputError, match="both called yolox_s_cam but differ in attention") as e:
        by_variant(runs)
    assert all(str(run.folder) in str(e.value) for run in runs)


@pytest.mark.parametrize(
    ("blocks", "init", "text"),
    [
        ({}, "identity", "none"),
        ({"dark3": "none", "dark4": "none", "dark5": "none"}, "published", "none"),
        ({"dark3": "se", "dark4": "se", "dark5": "se"}, "published", "se"),
        ({"dark3": "se", "dark4": "se", "dark5": "se"}, "identity", "se, identity"),
        ({"dark5": "se"}, "published", "se at dark5"),
        ({"dark3": "eca", "dark5": "my:Own"}, "published", "eca at dark3, my:Own at dark5"),
    ],
)
def test_attention_in_words(
    write_run: WriteRun, blocks: dict[str, str], init: str, text: str
) -> None:
    attention = {level: {"block": block} for level, block in blocks.items()}
    folder = write_run("yolox_s", attention=attention, attention_init=init)
    assert attention_in_words(find_runs([folder])[0].record) == text


def test_the_runs_own_metrics_count_unless_it_was_evaluated_anew(
    write_run: WriteRun, tmp_path: Path
) -> None:
    (run,) = find_runs([write_run("yolox_s", 0, 0.4)])
    assert (run.metrics["AP"], run.test_size, run.evaluated) == (0.4, (320, 320), {})
    assert run.detections == run.folder / "detections.json"
    values = {"split": "test", "annotations": "t.json", "test_size": [64, 96]}
    values |= {"checkpoint": {"file": "latest_ckpt.pth", "sha256": "c"}}
    (tmp_path / "evaluation.json").write_text(json.dumps({**values, "metrics": {"AP": 0.3}}))
    other = replace(run, evaluation=tmp_path)
    assert (other.metrics, other.test_size) == ({"AP": 0.3}, (64, 96))
    assert other.detections == tmp_path / "detections.json"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "cannot be read as JSON"),
        ("[]", "not what the eval command writes: "),
        ('{"metrics": {}, "split": "val", "test_size": [1, 1]}', "annotations, checkpoint missing"),
    ],
)
def test_another_evaluation_json_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_evaluation(tmp_path)
    assert str(tmp_path / "evaluation.json") in str(caught.value)


def test_an_evaluation_of_an_earlier_version_is_to_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text("{}")
    with pytest.raises(InputError, match=r"figures\.json is of an earlier version: evaluate again"):
        read_evaluation(tmp_path)


def test_runs_of_named_folders_and_of_folders_of_runs(
    write_run: WriteRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, ap in (("yolox_s", 0.4), ("yolox_s_cam", 0.5)):
        for seed in range(2):
            write_run(name, seed, ap)
    write_run("yolox_s_cam", 2, state="failed", error="no memory left")
    runs = load_runs(str(tmp_path / "yolox_s/seed1"), tmp_path / "yolox_s_cam")
    assert [run.title for run in runs.named] == ["yolox_s seed 1"]
    assert [run.title for run in runs[1:]] == ["yolox_s_cam seed 0", "yolox_s_cam seed 1"]
    assert (len(runs), runs[-1].record.seed) == (3, 1)
    lines = str(runs).splitlines()
    assert lines[:2] == ["yolox_s seed 1: AP 40.00", "yolox_s_cam seed 0: AP 50.00"]
    assert lines[3].startswith("left out: yolox_s_cam seed 2: ")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_runs("~/yolox_s")) == 2
