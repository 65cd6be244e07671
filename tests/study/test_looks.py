"""A study in stages, its runs copied instead of trained: looks, decisions, and their record."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planned import make_plan
from trained_study import Trained, change

from yolox_attn.errors import InputError
from yolox_attn.report import read_comparison
from yolox_attn.stats.stages import Stages
from yolox_attn.stats.terms import Terms
from yolox_attn.study.import_runs import add_runs
from yolox_attn.study.looks import (
    LOOKS_NAME,
    Finding,
    Look,
    claimed,
    left_out,
    next_look,
    open_variants,
    read_looks,
    seeds_wanted,
    words_of,
    write_look,
)
from yolox_attn.study.plan import Plan, read_plan
from yolox_attn.study.planned_run import PlannedRun, planned_runs, state_of
from yolox_attn.study.report import ReportOptions, report_study
from yolox_attn.study.scheduler import run_study
from yolox_attn.study.status import status_text

NANO, PLACEBO, CAM = "yolox_nano", "yolox_nano_placebo", "yolox_nano_cam"
STAGES = Stages((3, 5), ((0.02, 0.045),))
COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)"
FAIL = "import sys; sys.exit('error: ' + sys.argv[1])"
Study = tuple[Path, Callable[..., int]]


@pytest.fixture
def staged(trained: Trained, tmp_path: Path) -> Callable[..., Study]:
    """A function that plans a study and gives one that runs it, with the faults of some runs."""

    def make(stages: Stages = STAGES, **changes: Any) -> Study:
        changes = {"terms": Terms(replicates=150, sesoi=2.0), **changes}
        folder, _ = trained(seeds=tuple(range(stages.looks[-1])), stages=stages, **changes)
        shutil.move(folder / "runs", tmp_path / "made")

        def run(faults: dict[str, str] | None = None, **options: Any) -> int:
            def command(_: Plan, job: PlannedRun, device: str) -> list[str]:
                if fault := (faults or {}).get(job.key):
                    return [sys.executable, "-c", FAIL, fault]
                source = tmp_path / "made" / job.key
                return [sys.executable, "-c", COPY, str(source), str(job.slot)]

            return run_study(folder, parallel=2, device="cpu", command=command, **options)

        return folder, run

    return make


def look(number: int, before: str = "", **words: tuple[str, str] | None) -> Look:
    variants = {
        name: Finding((0, 1, 2), 0.01, (0.0, 0.02), (0.0, 0.02), 0.01, *(word or (None, None)))
        for name, word in words.items()
    }
    return Look(number, 3, "2026-01-02T03:04:05+00:00", PLAN.hash, before, {}, {}, variants)


PLAN = make_plan(
    blocks=("cam", "se"),
    stages=Stages((3, 5), ((0.02, 0.045), (0.01, 0.02))),
    seeds=(0, 1, 2, 3, 4),
)
CAM_HELPS = {"yolox_demo_cam": ("helps", "CLAIM"), "yolox_demo_se": None, "placebo": None}


def done(folder: Path) -> set[str]:
    jobs = planned_runs(read_plan(folder), folder)
    return {job.key for job in jobs if state_of(job) == "finished"}


def test_a_decided_block_keeps_its_seeds_and_the_others_go_on():
    first = look(1, **CAM_HELPS)
    assert seeds_wanted(PLAN, []) == dict.fromkeys((each.name for each in PLAN.variants), 3)
    wanted = seeds_wanted(PLAN, [first])
    assert wanted == {"yolox_demo": 5, "placebo": 5, "yolox_demo_cam": 3, "yolox_demo_se": 5}
    assert (open_variants(PLAN, [first]), next_look(PLAN, [first])) == (["yolox_demo_se"], 2)
    assert claimed(PLAN, [first]) == 1
    assert words_of(PLAN, [first]) == ["yolox_demo_cam helps (look 1)"]


def test_only_claims_of_blocks_count_and_a_study_without_an_open_block_is_over():
    equal = ("no worthwhile difference", "EQUIVALENCE")
    both = look(
        1, yolox_demo_cam=equal, yolox_demo_se=("hurts", "CLAIM"), placebo=("helps", "CLAIM")
    )
    assert claimed(PLAN, [both]) == 1
    assert next_look(PLAN, [both]) is None
    assert set(seeds_wanted(PLAN, [both]).values()) == {3}
    assert words_of(PLAN, [both])[0] == "yolox_demo_cam: no worthwhile difference (look 1)"


def test_looks_come_back_as_they_were_and_a_changed_one_is_refused(tmp_path):
    first = replace(look(1, **CAM_HELPS), left_out={"yolox_demo/seed1": "failed: no memory"})
    second = look(2, before=first.hash, yolox_demo_se=("cannot tell", "LAST"))
    write_look(tmp_path, [first, second])
    assert read_looks(PLAN, tmp_path) == [first, second]
    assert left_out([first, second]) == {
        "yolox_demo/seed1": "left out since look 1: failed: no memory"
    }
    path = tmp_path / LOOKS_NAME
    text = path.read_text()
    for wrong, message in (
        (text.replace('"helps"', '"hurts"'), "look 1 was changed after it was judged"),
        (json.dumps({"schema": 1, "looks": json.loads(text)["looks"][1:]}), "look 1 was changed"),
        (json.dumps({"schema": 1, "looks": [3]}), "not a list of looks"),
        (json.dumps({"schema": 7}), "not looks of schema 1"),
        ("{", "cannot be read as JSON"),
    ):
        path.write_text(wrong)
        with pytest.raises(InputError, match=message):
            read_looks(PLAN, tmp_path)
    path.write_text(text)
    with pytest.raises(InputError, match="another plan's"):
        read_looks(replace(PLAN, created="2026-02-02T03:04:05+00:00"), tmp_path)


def test_a_study_goes_through_its_looks_and_ends_when_all_blocks_are_decided(staged, capfd):
    folder, run = staged()
    assert run() == 0
    plan = read_plan(folder)
    (first,) = read_looks(plan, folder)
    assert first.variants[CAM].word == "helps"  # far better: the first look decides
    assert (first.number, first.seeds, first.left_out) == (1, 3, {})
    assert len(first.runs) == 9
    assert done(folder) == set(first.runs)  # nobody trains seeds 3 and 4
    out = capfd.readouterr().err
    assert "look 1: 9 of 9 runs finished; judging" in out
    assert f"decided: {CAM} helps (look 1)" in out
    assert "and the study is over" in status_text(folder)
    before = (folder / LOOKS_NAME).read_bytes()
    assert run() == 0  # a look is judged once
    assert (folder / LOOKS_NAME).read_bytes() == before


def test_what_is_open_goes_on_to_the_last_look_and_the_report_draws_the_path(staged, capfd):
    folder, run = staged(Stages((3, 5), ((1e-9, 1e-8),)))  # nothing is ever found
    assert run(until_look=1) == 0
    assert ": AP" not in capfd.readouterr().err
    assert len(read_looks(read_plan(folder), folder)) == 1
    text = status_text(folder)
    assert "AP" not in text.replace("AP points", "")  # who sees it may stop for its sake
    assert f"open: {CAM}" in text
    assert "the rest takes 6 runs at most" in text
    with pytest.raises(InputError, match="look 2 of 2 is to come"):
        report_study(folder, ReportOptions(latency=False), lambda _: None)
    assert run() == 0
    first, second = read_looks(read_plan(folder), folder)
    assert second.before == first.hash
    assert second.variants[CAM].word == "cannot tell"
    comparison = report_study(folder, ReportOptions(latency=False), lambda _: None)
    judged = {variant.name: judgement for variant, judgement in comparison.judged()}[CAM]
    assert [(each.number, each.seeds) for each in judged.looks] == [(1, 3), (2, 5)]
    assert judged.alpha == 1e-8
    assert (judged.interval, judged.word) == (second.variants[CAM].interval, "cannot tell")
    assert "decided at look 2" in str(comparison.variants[-1].sentence)
    assert (folder / "report" / "figures" / "looks.svg").is_file()
    assert read_comparison(folder / "report" / "comparison.json") == comparison
    markdown = (folder / "report" / "comparison.md").read_text()
    assert "Look by look" in markdown
    assert "Judged at planned looks of 3, 5 seeds a side" in markdown


def test_a_failed_run_keeps_a_study_from_its_look_until_it_is_retried_or_left_out(staged, capfd):
    folder, run = staged()
    faults = {f"{CAM}/seed1": "the disk is full"}
    assert run(faults) == 1
    assert not (folder / LOOKS_NAME).exists()
    assert "--leave-out-failed" in capfd.readouterr().err
    assert run(faults, leave_out_failed=True) == 0
    plan = read_plan(folder)
    looks = read_looks(plan, folder)
    assert list(looks[0].left_out) == [f"{CAM}/seed1"]
    assert looks[0].variants[CAM].seeds == (0, 2)  # too few: the level is forfeited
    assert looks[0].variants[CAM].word is None
    assert looks[1].variants[CAM].seeds == (0, 2, 3, 4)  # it stays out
    assert looks[1].left_out == {}
    assert run(retry=True) == 0
    assert read_looks(plan, folder) == looks


def test_a_finished_run_that_cannot_be_judged_keeps_a_study_from_its_look(staged, tmp_path):
    folder, run = staged()
    path = tmp_path / "made" / CAM / "seed1" / "detections.json"
    good = path.read_bytes()
    path.write_bytes(good[:-40])
    with pytest.raises(InputError, match=f"the look is not judged: {CAM} seed 1: .*--leave-out"):
        run()
    assert not (folder / LOOKS_NAME).exists()
    (folder / "runs" / CAM / "seed1" / "detections.json").write_bytes(good)
    assert run() == 0
    assert read_looks(read_plan(folder), folder)[0].left_out == {}


def test_a_run_that_diverged_is_a_result_and_its_side_is_not_said_to_help(staged):
    folder, run = staged(Stages((4, 5), ((0.02, 0.045),)))
    assert run({f"{CAM}/seed1": "iteration 9: gradients not finite (total_loss nan)"}) == 0
    first, second = read_looks(read_plan(folder), folder)
    assert (first.variants[CAM].diverged, first.variants[CAM].seeds) == (1, (0, 2, 3))
    assert first.variants[CAM].p_value < 0.02
    assert first.variants[CAM].word is None
    assert second.variants[CAM].word == "cannot tell"


def test_a_run_that_diverged_is_not_tried_again(staged):
    folder, run = staged(Stages((4, 5), ((0.02, 0.045),)))
    faults = {f"{CAM}/seed1": "iteration 9: loss not finite (nan)", f"{CAM}/seed2": "no memory"}
    assert run(faults) == 1
    assert run(retry=True) == 0  # without its faults both would be finished
    first, *_ = read_looks(read_plan(folder), folder)
    assert first.variants[CAM].seeds == (0, 2, 3)


def test_a_control_is_seen_anew_at_every_look_and_its_numbers_belong_together(staged):
    """It comes out equivalent at the first look, and goes on as long as the block is open."""
    folder, run = staged(
        Stages((3, 5), ((0.2, 0.3), (1e-12, 1e-12))), terms=Terms(replicates=150, sesoi=9.0)
    )
    assert run() == 0
    first, second = read_looks(read_plan(folder), folder)
    assert first.variants[PLACEBO].word == "no worthwhile difference"
    assert first.variants[CAM].word is None
    assert second.variants[PLACEBO].seeds == (0, 1, 2, 3, 4)
    comparison = report_study(folder, ReportOptions(latency=False), lambda _: None)
    judged = {variant.name: judgement for variant, judgement in comparison.judged()}[PLACEBO]
    assert (judged.difference, judged.interval) == (
        second.variants[PLACEBO].difference,
        second.variants[PLACEBO].interval,
    )
    assert judged.interval[0] < judged.difference < judged.interval[1]
    assert [each.number for each in judged.looks] == [1, 2]


def test_a_run_for_a_later_look_is_not_taken_in_yet(staged, tmp_path):
    folder, _ = staged()
    with pytest.raises(InputError, match=f"{CAM} seed 4 is not needed: the study is not"):
        add_runs(folder, [tmp_path / "made" / CAM / "seed4"])


def test_a_run_that_is_another_after_its_look_is_named(staged):
    folder, run = staged()
    assert run() == 0
    change(folder / "runs" / CAM / "seed0", seconds=77.0)
    notes = " ".join(report_study(folder, ReportOptions(latency=False), lambda _: None).notes)
    assert f"{CAM}/seed0 has changed since look 1 was judged; the look's verdicts stand." in notes


@pytest.mark.parametrize(("until", "message"), [(0, "looks 1 to 2"), (3, "looks 1 to 2")])
def test_a_look_that_the_plan_does_not_have_is_refused(staged, until, message):
    _, run = staged()
    with pytest.raises(InputError, match=message):
        run(until_look=until)


def test_a_study_of_one_look_has_none_to_stop_behind(trained):
    folder, _ = trained()
    with pytest.raises(InputError, match="no looks: it is judged once"):
        run_study(folder, device="cpu", until_look=1)
    assert read_looks(read_plan(folder), folder) == []
