"""A plan as `study plan` makes it, for the tests of what reads one."""

from typing import Any

from yolox_attn.stats.judge import Terms
from yolox_attn.study.plan import Plan, PlannedVariant, Training


def make_plan(*, blocks: tuple[str, ...] = ("cam",), **changes: Any) -> Plan:
    """A study of the drawn set: its baseline, a placebo, and `blocks`, two seeds."""
    baseline = PlannedVariant("yolox_demo", "baseline", None, "yolox-demo")
    placebo = PlannedVariant(
        "placebo", "control", None, "yolox-demo", overrides=("attention", "placebo")
    )
    variants = [
        PlannedVariant(f"yolox_demo_{block}", "variant", None, f"yolox-demo-{block}")
        for block in blocks
    ]
    given: dict[str, Any] = {
        "variants": (baseline, placebo, *variants),
        "seeds": (0, 1),
        "training": Training(data=None, overrides=("max_epoch", "2")),
        "split": "val",
        "truth": "val.json",
        "truth_sha256": "ab" * 32,
        "terms": Terms(),
        "created": "2026-01-02T03:04:05+00:00",
    }
    return Plan(**(given | changes))
