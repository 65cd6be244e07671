import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from trained_study import BLUR, SEEDS, Trained, change

from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, read_comparison
from yolox_attn.runs import file_hash
from yolox_attn.stats.terms import Terms
from yolox_attn.study.plan import Plan, write_plan
from yolox_attn.study.report import ReportOptions, report_study


def write_another_plan(folder: Path, plan: Plan) -> None:
    """Put another plan over the same runs, as no command does."""
    write_plan(folder.with_name("other"), plan)
    shutil.copy(folder.with_name("other") / "plan.json", folder)


def report(folder: Path, **options: Any) -> Comparison:
    options.setdefault("latency", False)
    return report_study(folder, ReportOptions(**options), lambda _: None)


def seeds_of(comparison: Comparison) -> dict[str, tuple[int, ...]]:
    return {variant.name: judgement.seeds for variant, judgement in comparison.judged()}


def test_a_study_is_judged_by_its_plan(trained: Trained) -> None:
    folder, plan = trained(terms=Terms(sesoi=2.0, replicates=150), command="study plan mine")
    comparison = report(folder)
    assert comparison.terms == plan.terms
    assert comparison.plan is not None
    assert comparison.plan.hash == plan.hash
    assert seeds_of(comparison) == {"yolox_nano_cam": SEEDS, "yolox_nano_placebo": SEEDS}
    assert (comparison.family, comparison.dropped) == (("yolox_nano_cam",), ())
    assert comparison.commands == (
        "study plan mine",
        *(f"yolox-attn study {name} {folder}" for name in ("run", "report")),
    )
    assert read_comparison(folder / "report" / "comparison.json") == comparison
    written = {path.name for path in (folder / "report").iterdir()}
    assert written == {
        *(f"comparison.{each}" for each in ("md", "csv", "tex", "json", "html")), "figures"
    }  # fmt: skip


def test_roles_are_the_plans_and_every_planned_block_counts(trained: Trained) -> None:
    """A control by plan stays one, and a block without a run keeps its step of Holm's."""
    cams = tuple(f"yolox_nano_cam/seed{seed}" for seed in SEEDS)
    folder, plan = trained(without=cams)
    roles = dict(zip(BLUR, ("baseline", "variant", "variant"), strict=True))
    variants = tuple(dataclasses.replace(v, role=roles[v.name]) for v in plan.variants)
    write_another_plan(folder, dataclasses.replace(plan, variants=variants))
    comparison = report(folder)
    assert comparison.family == ("yolox_nano_placebo", "yolox_nano_cam")
    assert comparison.pending == 3
    judged = comparison.judged()[0][1]
    assert judged.p_holm == pytest.approx(min(1, 2 * judged.p_value))


def test_what_was_there_before_the_plan_or_has_changed_since_is_a_note(
    trained: Trained, tmp_path: Path
) -> None:
    module = tmp_path / "block.py"
    module.write_text("x = 1")
    sources = {str(module): file_hash(module)}
    folder, _ = trained(created="2025-01-01T00:00:00+00:00", sources=sources)  # runs are of 2026
    notes = " ".join(report(folder).notes)
    assert "before the plan" not in notes
    assert "Since the plan" not in notes
    change(folder / "runs" / "yolox_nano_cam" / "seed1", started="2024-12-31T00:00:00+00:00")
    module.write_text("x = 2")
    changed, early, *_ = report(folder).notes
    assert changed.startswith(f"Since the plan was made: {module} was changed")
    assert early.startswith("Begun before the plan was made")
    assert "yolox_nano_cam seed 1." in early


def test_a_missing_run_takes_its_pair_along(trained: Trained) -> None:
    folder, _ = trained(without=("yolox_nano_cam/seed1", "yolox_nano_placebo/seed2"))
    comparison = report(folder)
    assert seeds_of(comparison) == {"yolox_nano_cam": (0, 2), "yolox_nano_placebo": (0, 1)}
    assert [(each.name, each.seed, each.why) for each in comparison.dropped] == [
        ("yolox_nano_cam", 1, "missing"),
        ("yolox_nano_placebo", 2, "missing"),
    ]


def test_stale_detections_of_the_baseline_take_all_pairs_of_the_seed(trained: Trained) -> None:
    folder, _ = trained()
    change(folder / "runs" / "yolox_nano" / "seed0", metrics={"AP": 0.987})
    comparison = report(folder)
    assert "not of this checkpoint" in comparison.dropped[0].why
    assert set(seeds_of(comparison).values()) == {(1, 2)}


def test_a_truth_that_is_gone_or_has_changed_is_refused(trained: Trained) -> None:
    folder, plan = trained()
    truth = Path(plan.truth)
    truth.write_text(truth.read_text() + "\n")
    with pytest.raises(InputError, match=r"v\.json was changed after the study was planned"):
        report(folder)
    truth.unlink()
    with pytest.raises(InputError, match=r"v\.json is gone"):
        report(folder)


def test_a_plan_of_no_time_that_can_be_read_is_refused(trained: Trained) -> None:
    with pytest.raises(InputError, match="'then' is not a time that can be read"):
        report(trained(created="then")[0])


def test_without_the_baseline_there_is_nothing_to_judge_by(trained: Trained) -> None:
    folder, _ = trained(without=tuple(f"yolox_nano/seed{seed}" for seed in SEEDS))
    with pytest.raises(InputError, match="no run of the baseline yolox_nano"):
        report(folder)


def test_the_baseline_alone_has_its_noise(trained: Trained, tmp_path: Path) -> None:
    folder, plan = trained()
    write_another_plan(folder, dataclasses.replace(plan, variants=plan.variants[:1]))
    comparison = report(folder, output=tmp_path / "there", latency=True, device="cpu", repeats=2)
    assert comparison.seed_noise is not None
    assert comparison.seed_noise.runs == 3
    assert comparison.variants[0].latency is not None
    assert (tmp_path / "there" / "comparison.html").is_file()


def test_a_plan_of_an_earlier_edition_is_said_to_be_one(trained: Trained) -> None:
    folder, _ = trained(edition=0)
    (note,) = [each for each in report(folder).notes if "edition" in each]
    assert note.startswith(
        "The plan was made when edition 1 of the procedure judged; edition 2 has"
    )
