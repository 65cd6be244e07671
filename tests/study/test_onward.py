import re
import shlex
from pathlib import Path

import pytest
from planned import make_plan

from yolox_attn.cli.study import make_parser, make_request
from yolox_attn.stats.verdict import Terms
from yolox_attn.study.commands import next_lines
from yolox_attn.study.plan import Plan, PlannedVariant, Training


def test_what_to_type_next() -> None:
    assert next_lines(Path("my study"), make_plan()) == [
        "next:",
        "  python tools/study.py run 'my study'",
        "  python tools/study.py report 'my study'",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seeds": (3, 5, 8), "split": "test", "groups": "scene"},
        {"terms": Terms(sesoi=0.3, alpha=0.1, replicates=500)},
        {"training": Training("a b", 4, 2, "bf16", "w.pth", None, 2, ("degrees", "-5"))},
    ],
)
def test_going_on_from_the_noise_plans_the_same_runs(changes: dict[str, object]) -> None:
    """Whoever types the commands that are offered gets the baseline that was measured."""
    alone = PlannedVariant("yolox_demo", "baseline", None, "yolox-demo")
    given: dict[str, object] = {"variants": (alone,), "seeds": (0, 1, 2), **changes}
    plan: Plan = make_plan(**given)
    *_, planning, adding = next_lines(Path("floor"), plan)
    assert adding == "  python tools/study.py add NEW floor/runs/yolox_demo/seed*"
    words = shlex.split(re.sub(r"BLOCK \.\.\.", "cam", planning))[4:]
    args = make_parser("plan").parse_args(["--study", "NEW", *words])
    request = make_request(args)
    assert (request.baseline, request.variants, args.noise) == ("yolox-demo", ("cam",), "floor")
    assert (request.training, request.seeds) == (plan.training, plan.seeds)
    assert (request.terms, request.split, request.groups) == (plan.terms, plan.split, plan.groups)
