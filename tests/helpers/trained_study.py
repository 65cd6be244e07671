"""A planned study and the runs that training would leave there, for the tests of what judges it."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from judged_runs import DrawnStudy
from planned import make_plan

from yolox_attn.runs import file_hash
from yolox_attn.stats.terms import Terms
from yolox_attn.study.plan import Plan, PlannedVariant, Training, write_plan
from yolox_attn.study.variants import build_variant

BLUR = {"yolox_nano": 0.30, "yolox_nano_placebo": 0.30, "yolox_nano_cam": 0.12}
SEEDS = (0, 1, 2)
SCHEDULE = ("max_epoch", "3", "warmup_epochs", "1", "no_aug_epochs", "1")
Trained = Callable[..., tuple[Path, Plan]]


@pytest.fixture
def trained(study: DrawnStudy, tmp_path: Path) -> Trained:
    """A function that leaves a planned study, its runs trained but for those in `without`."""

    def make(*, without: tuple[str, ...] = (), **changes: Any) -> tuple[Path, Plan]:
        folder = tmp_path / "mine"
        roles = zip(BLUR, ("baseline", "control", "variant"), strict=True)
        given: dict[str, Any] = {
            "variants": tuple(
                PlannedVariant(name, role, None, name.replace("_", "-")) for name, role in roles
            ),
            "seeds": SEEDS,
            "training": Training(data=None, overrides=SCHEDULE),
            "truth": str(study.truth),
            "truth_sha256": file_hash(study.truth),
            "terms": Terms(replicates=200),
        }
        plan = make_plan(**(given | changes))
        write_plan(folder, plan)
        for number, variant in enumerate(plan.variants):
            for seed in plan.seeds:
                if f"{variant.name}/seed{seed}" not in without:
                    slot = folder / "runs" / variant.name / f"seed{seed}"
                    slot.parent.mkdir(parents=True, exist_ok=True)
                    run = study.write(variant.name, 10 * number + seed, BLUR[variant.name])
                    shutil.move(run, slot)
                    change(slot, seed=seed, **_built(variant, plan.training))
        return folder, plan

    return make


def change(slot: Path, **fields: Any) -> None:
    """Write other values into a run's record; dicts are merged."""
    record = json.loads((slot / "run.json").read_text())
    for key, value in fields.items():
        merged = isinstance(value, dict) and key != "attention"
        record[key] = {**(record[key] or {}), **value} if merged else value
    (slot / "run.json").write_text(json.dumps(record))


@cache
def _built(variant: PlannedVariant, training: Training) -> dict[str, Any]:
    """What the record of such a run says of its network and settings."""
    built = build_variant(variant, training)
    fields = {name: getattr(built, name) for name in ("config", "attention", "parameters")}
    return json.loads(json.dumps(fields))
