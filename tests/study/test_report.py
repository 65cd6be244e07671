import dataclasses
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from judged_runs import DrawnStudy, study  # noqa: F401 - a fixture
from planned import make_plan
from run_folders import write_run  # noqa: F401 - a fixture

from yolox_attn.core.describe import describe_attention, describe_config
from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, read_comparison
from yolox_attn.runs.codec import file_hash
from yolox_attn.stats.verdict import Terms
from yolox_attn.study.eligibility import collect
from yolox_attn.study.plan import Plan, PlannedVariant, Training, write_plan
from yolox_attn.study.report import Look, report_study
from yolox_attn.study.variants import build_exp

BLUR = {"yolox_nano": 0.30, "yolox_nano_placebo": 0.30, "yolox_nano_cam": 0.12}
SEEDS = (0, 1, 2)
SE = {"dark3": {"block": "se", "options": {}, "parameters": {}}}
SCHEDULE = ("max_epoch", "3", "warmup_epochs", "1", "no_aug_epochs", "1")


@pytest.fixture
def planned(study: DrawnStudy, tmp_path: Path) -> Callable[..., tuple[Path, Plan]]:  # noqa: F811
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
        for variant in plan.variants:
            for seed in SEEDS:
                name = variant.name
                slot = folder / "runs" / name / f"seed{seed}"
                if f"{name}/seed{seed}" not in without:
                    slot.parent.mkdir(parents=True, exist_ok=True)
                    number = 10 * list(BLUR).index(name) + seed
                    shutil.move(study.write(name, number, BLUR[name]), slot)
                    change(slot, seed=seed, **built(variant, plan.training))
        return folder, plan

    return make


@cache
def built(variant: PlannedVariant, training: Training) -> dict[str, Any]:
    """What the record of such a run says of its network and settings."""
    exp = build_exp(variant, training)
    config = describe_config(exp)
    attention = describe_attention(exp, exp.get_model())
    return json.loads(json.dumps({"config": config, "attention": attention}))


def change(slot: Path, **fields: Any) -> None:
    """Write other values into a run's record; dicts are merged."""
    record = json.loads((slot / "run.json").read_text())
    for key, value in fields.items():
        merged = isinstance(value, dict) and key != "attention"
        record[key] = {**(record[key] or {}), **value} if merged else value
    (slot / "run.json").write_text(json.dumps(record))


def write_another_plan(folder: Path, plan: Plan) -> None:
    """Put another plan over the same runs, as no command does."""
    write_plan(folder.with_name("other"), plan)
    shutil.copy(folder.with_name("other") / "plan.json", folder)


def report(folder: Path, **look: Any) -> Comparison:
    return report_study(folder, Look(latency=False, **look), lambda _: None)


def seeds_of(comparison: Comparison) -> dict[str, tuple[int, ...]]:
    return {variant.name: judgement.seeds for variant, judgement in comparison.judged()}


def test_a_study_is_judged_by_its_plan(planned: Callable[..., Any]) -> None:
    folder, plan = planned(terms=Terms(sesoi=2.0, replicates=150))
    comparison = report(folder)
    assert comparison.terms == plan.terms
    assert comparison.plan is not None
    assert comparison.plan.hash == plan.hash
    assert seeds_of(comparison) == {"yolox_nano_cam": SEEDS, "yolox_nano_placebo": SEEDS}
    assert (comparison.family, comparison.dropped) == (("yolox_nano_cam",), ())
    assert read_comparison(folder / "report" / "comparison.json") == comparison
    written = {path.name for path in (folder / "report").iterdir()}
    assert written == {
        *(f"comparison.{each}" for each in ("md", "csv", "tex", "json", "html")), "figures"
    }  # fmt: skip


def test_roles_are_the_plans_and_every_planned_block_counts(planned: Callable[..., Any]) -> None:
    """A control by plan stays one, and a block without a run keeps its step of Holm's."""
    everything = tuple(f"yolox_nano_cam/seed{seed}" for seed in SEEDS)
    folder, plan = planned(without=everything)
    roles = dict(zip(BLUR, ("baseline", "variant", "variant"), strict=True))
    variants = tuple(dataclasses.replace(v, role=roles[v.name]) for v in plan.variants)
    write_another_plan(folder, dataclasses.replace(plan, variants=variants))
    comparison = report(folder)
    assert comparison.family == ("yolox_nano_placebo", "yolox_nano_cam")
    assert comparison.pending == 3
    judged = comparison.judged()[0][1]
    assert judged.p_holm == pytest.approx(min(1, 2 * judged.p_value))


def test_a_run_from_before_the_plan_is_told(planned: Callable[..., Any]) -> None:
    folder, _ = planned(created="2025-01-01T00:00:00+00:00")  # the runs began in 2026
    assert not any("before the plan" in note for note in report(folder).notes)
    change(folder / "runs" / "yolox_nano_cam" / "seed1", started="2024-12-31T00:00:00+00:00")
    (note,) = [each for each in report(folder).notes if "before the plan" in each]
    assert "yolox_nano_cam seed 1" in note


def test_a_truth_that_is_gone_is_one_line(planned: Callable[..., Any]) -> None:
    folder, plan = planned()
    Path(plan.truth).unlink()
    with pytest.raises(InputError, match=r"v\.json is not the file"):
        report(folder)


def test_a_missing_run_takes_its_pair_along(planned: Callable[..., Any]) -> None:
    folder, _ = planned(without=("yolox_nano_cam/seed1", "yolox_nano_placebo/seed2"))
    comparison = report(folder)
    assert seeds_of(comparison) == {"yolox_nano_cam": (0, 2), "yolox_nano_placebo": (0, 1)}
    assert [(each.name, each.seed, each.why) for each in comparison.dropped] == [
        ("yolox_nano_cam", 1, "missing"),
        ("yolox_nano_placebo", 2, "missing"),
    ]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"state": "failed", "error": "gradients not finite"}, "failed: gradients not finite"),
        ({"state": "interrupted"}, "interrupted"),
        ({"stopped_early": {"epoch": 2}}, "its validation split ended the run"),
        ({"config": {"max_epoch": 4}}, "not as planned: max_epoch 4 (planned 3)"),
        ({"data": {"train_sha256": "c" * 64}}, "another data set (train_sha256"),
        ({"data": {"val_sha256": "c" * 64}}, "not as planned: validation annotations cccccccccccc"),
        ({"versions": {"torch": "2.8"}}, "another version of torch"),
        ({"batch_size": 4}, "not as planned: batch size 4 (planned 8)"),
        ({"attention": SE}, "attention se at dark3"),
        ({"precision": "bf16"}, "not as planned: precision bf16 (planned fp32)"),
        (
            {"pretrained": {"file": "w", "sha256": "d" * 64}},
            "not as planned: checkpoint dddddddddddd",
        ),
    ],
)
@pytest.mark.parametrize("name", ["yolox_nano_cam", "yolox_nano"])
def test_a_run_that_is_not_what_the_plan_says_is_left_out_by_name(
    planned: Callable[..., Any], name: str, fields: dict[str, Any], why: str
) -> None:
    folder, plan = planned()
    change(folder / "runs" / name / "seed0", **fields)  # the first of all: no run is above others
    runs, dropped = collect(plan, folder)
    assert [(each.name, each.seed) for each in dropped] == [(name, 0)]
    assert why in dropped[0].why
    assert len(runs) == 8


def test_stale_detections_of_the_baseline_take_all_pairs_of_the_seed(
    planned: Callable[..., Any],
) -> None:
    folder, _ = planned()
    change(folder / "runs" / "yolox_nano" / "seed0", metrics={"AP": 0.987})
    comparison = report(folder)
    assert "not of this checkpoint" in comparison.dropped[0].why
    assert set(seeds_of(comparison).values()) == {(1, 2)}


def test_a_truth_that_has_changed_is_refused(planned: Callable[..., Any]) -> None:
    folder, plan = planned()
    Path(plan.truth).write_text(Path(plan.truth).read_text() + "\n")
    with pytest.raises(InputError, match=r"v\.json is not the file that .*plan\.json was made"):
        report(folder)


def test_a_file_of_the_plan_that_has_changed_is_told(
    planned: Callable[..., Any], tmp_path: Path
) -> None:
    module = tmp_path / "block.py"
    module.write_text("x = 1")
    folder, _ = planned(sources={str(module): file_hash(module)}, command="study plan mine")
    comparison = report(folder)
    assert not any("Since the plan" in note for note in comparison.notes)
    assert comparison.commands[0] == "study plan mine"
    module.write_text("x = 2")
    assert any(f"Since the plan was made: {module}" in note for note in report(folder).notes)


def test_without_the_baseline_there_is_nothing_to_judge_by(planned: Callable[..., Any]) -> None:
    folder, _ = planned(without=tuple(f"yolox_nano/seed{seed}" for seed in SEEDS))
    with pytest.raises(InputError, match="no run of the baseline yolox_nano"):
        report(folder)


def test_the_baseline_alone_tells_its_noise(planned: Callable[..., Any], tmp_path: Path) -> None:
    folder, plan = planned()
    write_another_plan(folder, dataclasses.replace(plan, variants=plan.variants[:1]))
    comparison = report(folder, output=tmp_path / "there")
    assert comparison.seed_noise is not None
    assert comparison.seed_noise.runs == 3
    assert (tmp_path / "there" / "comparison.html").is_file()
