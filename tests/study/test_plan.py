import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from fake_study import make_study
from planned import make_plan

from yolox_attn.errors import InputError
from yolox_attn.runs import file_hash
from yolox_attn.stats.stages import Stages
from yolox_attn.stats.terms import Terms
from yolox_attn.study.plan import (
    ADDED_NAME,
    ATTEMPTS_NAME,
    PLAN_NAME,
    RUNS,
    PlannedVariant,
    Training,
    check_unchanged,
    read_plan,
    write_plan,
)

# As versions before the second layout wrote it.
OLD_PLAN = """{
  "schema": 1, "hash": "0a7260f5b1d03725d5a3b664bd248734fe91dffafbc5d54aed5a40b8dfd8873d",
  "variants": [
    {"name": "base", "role": "baseline", "exp_file": "/exps/base.py", "exp_name": null,
     "exp_sha256": "1212121212121212121212121212121212121212121212121212121212121212",
     "overrides": []},
    {"name": "base_cam", "role": "variant", "exp_file": "/exps/base.py", "exp_name": null,
     "exp_sha256": "1212121212121212121212121212121212121212121212121212121212121212",
     "overrides": ["attention", "cam"]}],
  "seeds": [0, 1],
  "training": {"data": "/data", "batch_size": 4, "accumulate": 1, "precision": "fp32",
    "checkpoint": null, "checkpoint_sha256": null, "threads": 1, "overrides": ["max_epoch", "6"]},
  "split": "test", "truth": "/data/annotations/t.json",
  "truth_sha256": "abababababababababababababababababababababababababababababababab",
  "terms": {"sesoi": 0.25, "alpha": 0.05, "replicates": 2000, "seed": 0},
  "created": "2026-01-02T03:04:05+00:00", "groups": "/g.csv", "metric": "AP",
  "versions": {"torch": "2.9.1"},
  "expected": {"runs": 4, "seconds_of_a_run": {"base": 61.5}, "seconds": null, "memory": null,
    "device": "cpu x86_64", "paired_sd": 0.6, "detectable": null},
  "groups_sha256": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
  "data_sha256": {
    "/data/annotations/v.json": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef"},
  "sources": {
    "/exps/block.py": "0101010101010101010101010101010101010101010101010101010101010101"},
  "command": "python tools/study.py plan s"
}"""


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    plan = make_plan(terms=Terms(sesoi=0.25), groups="video", expected={"hours": 1.5})
    plan = dataclasses.replace(plan, sources={"block.py": "ab"}, command="python tools/study.py")
    write_plan(tmp_path / "study", plan)
    assert read_plan(tmp_path / "study") == plan


def test_a_plan_of_an_older_version_is_read_with_its_hash(tmp_path: Path) -> None:
    (tmp_path / PLAN_NAME).write_text(OLD_PLAN)
    plan = read_plan(tmp_path)
    assert plan.hash == json.loads(OLD_PLAN)["hash"]
    assert [each.name for each in plan.variants] == ["base", "base_cam"]
    assert plan.variants[1].overrides == ("attention", "cam")
    assert (plan.training.batch_size, plan.terms.sesoi, plan.expected["paired_sd"]) == (
        4,
        0.25,
        0.6,
    )


def test_a_plan_from_before_it_bound_all_files_keeps_its_hash(tmp_path: Path) -> None:
    """Of `make_plan(edition=0)`, as it was when a plan had none of the fields below."""
    before = "e17357fcce7700c5ae0cddc4f496b9f012433917687f2240a8e9b4d0dc8b44ae"
    changes = (
        {"groups_sha256": "ab"},
        {"data_sha256": {"val.json": "ab"}},
        {"sources": {"block.py": "ab"}},
        {"command": "python tools/study.py plan s"},
        {"edition": 2},
        {"stages": Stages((3, 5), ((0.02, 0.045),))},
    )
    path = write_plan(tmp_path, make_plan(edition=0))
    written = json.loads(path.read_text())
    assert not written.keys() & {key for each in changes for key in each}
    assert read_plan(tmp_path).hash == written["hash"] == before
    assert len({before, *(make_plan(**{"edition": 0, **each}).hash for each in changes)}) == 7


def test_another_plan_has_another_hash() -> None:
    plan = make_plan()
    changed = [
        dataclasses.replace(plan, seeds=(0, 1, 2)),
        dataclasses.replace(plan, terms=Terms(sesoi=0.4)),
        dataclasses.replace(plan, training=dataclasses.replace(plan.training, batch_size=4)),
    ]
    assert len({each.hash for each in [plan, *changed]}) == 4


def test_a_plan_changed_by_hand_is_refused(tmp_path: Path) -> None:
    path = write_plan(tmp_path, make_plan())
    values = json.loads(path.read_text())
    values["terms"]["sesoi"] = 0.1
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=r"plan\.json was changed after it was made"):
        read_plan(tmp_path)


def test_a_study_keeps_its_plan(tmp_path: Path) -> None:
    write_plan(tmp_path, make_plan())
    with pytest.raises(InputError, match="is there already"):
        write_plan(tmp_path, make_plan(seeds=(5,)))


@pytest.mark.parametrize("left", [RUNS, ATTEMPTS_NAME, ADDED_NAME])
def test_runs_of_another_plan_are_not_taken_over(tmp_path: Path, left: str) -> None:
    (tmp_path / left).mkdir()
    with pytest.raises(InputError, match=f"{left}: .* holds runs of another plan; choose another"):
        write_plan(tmp_path, make_plan())
    assert not (tmp_path / "plan.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a study folder: it has no plan.json"),
        ("{", "cannot be read as JSON"),
        ("[]", "not a whole plan"),
        ("{}", "not a plan of schema 1"),
        ('{"schema": 1}', "not a whole plan"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "plan.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_plan(tmp_path)


def test_what_the_plan_was_made_with_must_be_what_it_was(tmp_path: Path) -> None:
    names = ("exp.py", "start.pth", "groups.csv", "train.json", "block.py")
    exp, start, groups, train, block = files = [tmp_path / name for name in names]
    for path in files:
        path.write_text("one")
    plan = make_study(
        tmp_path,
        variants=(PlannedVariant("mine", "baseline", str(exp), None, file_hash(exp)),),
        training=Training(None, checkpoint=str(start), checkpoint_sha256=file_hash(start)),
        groups=str(groups),
        groups_sha256=file_hash(groups),
        data_sha256={str(train): file_hash(train)},
        sources={str(block): file_hash(block)},
    )
    check_unchanged(plan)
    for path in (*files, Path(plan.truth)):
        shutil.copy(path, kept := tmp_path / "kept")
        path.write_text("another")
        with pytest.raises(InputError, match=rf"{path.name} was changed after .* was planned"):
            check_unchanged(plan)
        path.unlink()
        with pytest.raises(InputError, match=f"{path.name} is gone"):
            check_unchanged(plan)
        path.mkdir()
        with pytest.raises(InputError, match=f"{path.name} is gone"):
            check_unchanged(plan)
        path.rmdir()
        kept.replace(path)
    check_unchanged(plan)


def test_a_file_of_the_plan_that_the_disk_does_not_give_is_named(tmp_path: Path) -> None:
    plan = dataclasses.replace(make_study(tmp_path), truth="/" + "x" * 300)  # too long a name
    with pytest.raises(InputError, match="x cannot be read: File name too long"):
        check_unchanged(plan)
