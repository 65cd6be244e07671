import dataclasses
import json
from pathlib import Path

import pytest
from planned import make_plan

from yolox_attn.errors import InputError
from yolox_attn.stats.verdict import Terms
from yolox_attn.study.plan import read_plan, write_plan
from yolox_attn.study.planned_run import ADDED_NAME, ATTEMPTS_NAME, RUNS


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    plan = make_plan(terms=Terms(sesoi=0.25), groups="video", expected={"hours": 1.5})
    plan = dataclasses.replace(plan, sources={"block.py": "ab"}, command="python tools/study.py")
    write_plan(tmp_path / "study", plan)
    assert read_plan(tmp_path / "study") == plan


def test_a_plan_from_before_it_bound_all_files_keeps_its_hash() -> None:
    """Of `make_plan()`, as it was when a plan had none of the four fields below."""
    before = "e17357fcce7700c5ae0cddc4f496b9f012433917687f2240a8e9b4d0dc8b44ae"
    assert make_plan().hash == before
    changes = (
        {"groups_sha256": "ab"},
        {"data_sha256": {"val.json": "ab"}},
        {"sources": {"block.py": "ab"}},
        {"command": "python tools/study.py plan s"},
    )
    assert len({before, *(make_plan(**each).hash for each in changes)}) == 5


def test_a_plan_without_the_newer_fields_is_read(tmp_path: Path) -> None:
    path = write_plan(tmp_path, make_plan())
    assert (
        not {"groups_sha256", "data_sha256", "sources", "command"}
        & json.loads(path.read_text()).keys()
    )
    assert read_plan(tmp_path) == make_plan()


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
        (None, "is no study"),
        ("{", "cannot be read as JSON"),
        ("[]", "not a plan of schema 1"),
        ('{"schema": 1}', "not a whole plan"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "plan.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_plan(tmp_path)
