"""A study whose runs are not trained: its plan, and the commands of `fake_run.py`."""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from planned import make_plan
from run_folders import make_record

from yolox_attn.runs.codec import file_hash
from yolox_attn.study.plan import Plan, write_plan
from yolox_attn.study.planned_run import PlannedRun

SCRIPT = Path(__file__).with_name("fake_run.py")


def make_study(folder: Path, **changes: Any) -> Plan:
    """Write a plan of three variants and two seeds, with a truth of its own next to it."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / "truth.json"
    truth.write_text("{}")
    plan = make_plan(truth=str(truth), truth_sha256=file_hash(truth), **changes)
    write_plan(folder, plan)
    return plan


def fake_command(
    folder: Path, how: Mapping[str, str] | None = None
) -> Callable[[Plan, PlannedRun, str], list[str]]:
    """Return what makes commands; `how` is what happens to a run, by its key, else it finishes."""
    like = folder / "like.json"
    like.write_text(json.dumps(dataclasses.asdict(make_record("any", 0, 0.4))))

    def command(_: Plan, job: PlannedRun, __: str) -> list[str]:
        words = [str(job.slot), job.variant.name, str(job.seed), (how or {}).get(job.key, "finish")]
        return [sys.executable, str(SCRIPT), *words, str(folder / "events.txt"), str(like)]

    return command


def events(folder: Path) -> list[str]:
    """What the runs have noted, in order."""
    path = folder / "events.txt"
    return path.read_text().splitlines() if path.exists() else []
