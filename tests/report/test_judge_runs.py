import hashlib
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judged_runs import (
    IMAGES,
    VIDEOS,
    DrawnStudy,
    draw_detections,
    draw_truth,
    metrics_of,
    write_json,
)

from yolox_attn.coco.annotations import read_truth
from yolox_attn.coco.evaluate import match
from yolox_attn.coco.results import read_detections
from yolox_attn.errors import InputError
from yolox_attn.report import (
    Comparison,
    JudgingRequest,
    Run,
    build_comparison,
    find_runs,
    judge_runs,
)
from yolox_attn.report.comparison import Variant
from yolox_attn.report.judge_runs import find_truth, named_truth, seed_noise
from yolox_attn.report.sentences import settling_sentence, verdict_sentence
from yolox_attn.stats.bootstrap import image_weights
from yolox_attn.stats.judge import judge
from yolox_attn.stats.measured import Measured, Side, TestSet, images_of_classes, measure
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import Judgement
from yolox_attn.stats.weighted_ap import best_engine

TERMS = Terms(replicates=100, seed=5)
REQUEST = JudgingRequest(terms=TERMS)
TWO = {"yolox_s": 0.2, "yolox_s_cam": 0.05}
THREE = {**TWO, "yolox_s_placebo": 0.2}


def write_all(study: DrawnStudy, seeds: Sequence[int] = (0, 1, 2), **blurs: float) -> list[Path]:
    """Write the runs of every variant; no two are equally good."""
    return [
        study.write(name, seed, blur + 0.005 * place)
        for place, (name, blur) in enumerate((blurs or TWO).items())
        for seed in seeds
    ]


def judged(folders: Sequence[Path], request: JudgingRequest = REQUEST) -> Comparison:
    runs = find_runs(folders)
    return judge_runs(build_comparison(runs), runs, request)


def variant(comparison: Comparison, name: str = "yolox_s_cam") -> Variant:
    return next(each for each in comparison.variants if each.name == name)


def verdict(comparison: Comparison, name: str = "yolox_s_cam") -> Judgement:
    return variant(comparison, name).judgement


def test_the_verdict_is_that_of_the_statistics_called_by_hand(study: DrawnStudy) -> None:
    folders = write_all(study, **THREE)
    truth = read_truth(study.truth)
    weights, blocks = image_weights(np.random.default_rng(5), IMAGES, 100), np.arange(IMAGES)
    runs: dict[str, dict[int, Measured]] = {}
    for folder in folders:
        seed = int(folder.name.removeprefix("seed"))
        matches = match(truth, read_detections(folder / "detections.json"), "")
        runs.setdefault(folder.parent.name, {})[seed] = measure(matches, weights, blocks)
    sides = [Side(name, each, name.endswith("placebo")) for name, each in runs.items()]
    test = TestSet(IMAGES, IMAGES, truth.class_names, images_of_classes(truth).tolist())
    by_hand = judge(sides[0], sides[1:], test, TERMS)

    found = judged(folders)
    assert {each.name: each.judgement for each in found.variants[1:]} == by_hand
    assert verdict(found).word == "helps"
    for each in found.variants[1:]:
        assert each.sentence == verdict_sentence(each.name, verdict(found, each.name), TERMS)
        assert each.settling == settling_sentence(verdict(found, each.name), TERMS)
    assert found.variants[0].judgement is None
    assert (found.terms, found.groups, found.dropped, found.notes) == (TERMS, None, (), ())
    assert found.val_images == IMAGES
    assert found.data["truth"] == str(study.truth)
    assert found.data["truth_sha256"] == found.data["val_sha256"]
    assert found.family == ("yolox_s_cam",)  # controls stand outside of it
    assert verdict(found, "yolox_s_placebo").p_holm is None


def test_planned_variants_without_a_run_count_in_the_family(study: DrawnStudy) -> None:
    planned = ("yolox_s_cam", "yolox_s_se", "yolox_s_eca")
    found = judged(write_all(study), replace(REQUEST, planned=planned))
    assert found.family == planned
    assert [each.name for each in found.variants] == list(TWO)
    assert verdict(found).family == 3
    assert found.notes == tuple(
        f"{name}: no verdict, none of its runs has a partner among those of yolox_s."
        for name in planned[1:]
    )


def test_each_run_with_a_partner_is_announced_before_it_is_judged(study: DrawnStudy) -> None:
    lines: list[str] = []
    folders = write_all(study, seeds=(0, 1), **THREE)
    folders.append(study.write("yolox_s_cam", 9, 0.2))  # has no partner: nothing to judge
    runs = find_runs(folders)
    judge_runs(build_comparison(runs), runs, REQUEST, lines.append)
    engine = best_engine().name
    assert lines[0] == f"[1/6] judging yolox_s seed 0 ({engine})"
    assert lines[3] == f"[4/6] judging yolox_s_cam seed 1 ({engine})"
    assert len(lines) == 6


def test_another_truth_than_the_one_that_judged_is_refused(
    study: DrawnStudy, tmp_path: Path
) -> None:
    folders = write_all(study, seeds=(0,))
    other = write_json(tmp_path / "other.json", draw_truth(seed=1))
    with pytest.raises(InputError, match=r"other\.json is not the truth that judged .* sha256 is"):
        judged(folders, replace(REQUEST, truth=other))
    with pytest.raises(InputError, match=r"--truth gone\.json: no such file"):
        judged(folders, replace(REQUEST, truth=Path("gone.json")))
    study.truth.write_text(study.truth.read_text() + " ")
    with pytest.raises(InputError, match=r"v\.json is not the truth") as caught:
        judged(folders)
    assert "\n" not in str(caught.value)


def test_a_truth_that_has_moved_is_requested_and_can_be_named(
    study: DrawnStudy, tmp_path: Path
) -> None:
    folders = write_all(study)
    expected = judged(folders)
    moved = study.truth.rename(tmp_path / "moved.json")
    found = judged(folders)
    assert found.notes == (f"No verdict: {study.truth} is not there; --truth FILE gives it.",)
    assert (found.terms, found.judged(), found.seed_noise) == (None, [], None)
    again = judged(folders, replace(REQUEST, truth=moved))
    assert again.variants == expected.variants


@pytest.mark.parametrize("name", ["yolox_s", "yolox_s_cam"])
def test_missing_detections_close_their_pair(study: DrawnStudy, name: str) -> None:
    folders = write_all(study, **THREE)
    full = judged(folders)
    lost = next(each for each in folders if each.parent.name == name and each.name == "seed1")
    (lost / "detections.json").unlink()
    found = judged(folders)
    cam = variant(found)
    assert cam.difference.seeds == verdict(found).seeds == (0, 2)
    assert cam.difference.metrics["AP"] == pytest.approx(verdict(found).difference)
    kept = [run.seed for run in cam.runs]
    assert kept == ([0, 2] if name == "yolox_s_cam" else [0, 1, 2])
    same = cam.mean == variant(full).mean
    assert same == (name == "yolox_s")  # a run that is left out is in no mean either
    (dropped,) = found.dropped
    assert (dropped.name, dropped.seed) == (name, 1)
    assert dropped.why == f"{lost / 'detections.json'} is missing"
    assert verdict(found, "yolox_s_placebo").seeds == ((0, 2) if name == "yolox_s" else (0, 1, 2))


def test_detections_of_another_checkpoint_or_unreadable_close_their_pair_too(
    study: DrawnStudy,
) -> None:
    folders = write_all(study, seeds=(0, 1, 2, 3))
    (folders[4] / "detections.json").write_text("[{")
    unlisted = [{"image_id": 999, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 0.5}]
    write_json(folders[5] / "detections.json", unlisted)
    newer = draw_detections(study.content, 0.04, 77)
    write_json(folders[6] / "detections.json", newer)
    found = judged(folders)
    unreadable, unfitting, other = found.dropped
    assert f"{folders[4] / 'detections.json'} is no valid json" in unreadable.why
    assert "the truth has no image 999" in unfitting.why
    assert (other.name, other.seed) == ("yolox_s_cam", 2)
    ap = metrics_of(study.content, newer)["AP"]
    assert f"gives AP {ap:.6f}, run.json says" in other.why
    assert "not of this checkpoint" in other.why
    assert (verdict(found).seeds, verdict(found).word) == ((3,), "cannot tell")


def test_a_variant_without_any_pair_left_has_no_verdict(study: DrawnStudy) -> None:
    folders = write_all(study, seeds=(0, 1), **THREE)
    for folder in folders[2:4]:
        (folder / "detections.json").unlink()
    found = judged(folders)
    cam = variant(found)
    assert cam.judgement is None
    assert cam.difference is not None
    assert found.family == ("yolox_s_cam",)
    expected = "yolox_s_cam: no verdict, none of its runs has a partner among those of yolox_s."
    assert expected in found.notes
    for folder in folders[4:]:
        (folder / "detections.json").unlink()
    found = judged(folders)
    assert found.terms is None
    assert len(found.dropped) == 4
    assert found.notes[-1].startswith("No verdict: no variant has a run left to pair")


def test_runs_that_kept_no_detections_have_no_verdict(study: DrawnStudy) -> None:
    folders = write_all(study, seeds=(0, 1))
    for folder in folders:
        (folder / "detections.json").unlink()
    found = judged(folders)
    assert found.notes == ("No verdict: no run has kept its detections (detections.json).",)
    assert (found.terms, found.dropped) == (None, ())


def test_every_metric_is_taken_from_the_detections(study: DrawnStudy) -> None:
    folders = write_all(study)
    path = folders[0] / "run.json"
    record = json.loads(path.read_text())
    true = record["metrics"]["AP50"]
    record["metrics"]["AP50"] = true + 0.1
    write_json(path, record)
    found = judged(folders)
    assert found.dropped == ()
    assert found.variants[0].runs[0].metrics["AP50"] == pytest.approx(true, abs=1e-9)
    (note,) = [each for each in found.notes if "its record has" in each]
    assert note == (
        f"yolox_s seed 0: its record has AP50 {100 * true + 10:.2f}, its detections give "
        f"{100 * true:.2f}, which counts."
    )


def test_groups_change_the_interval(study: DrawnStudy) -> None:
    folders = write_all(study)
    alone, grouped = (judged(folders, replace(REQUEST, groups=key)) for key in (None, "video"))
    assert grouped.groups == f"{VIDEOS} groups by video"
    assert verdict(alone).checkpoints != verdict(grouped).checkpoints
    assert verdict(grouped).images == VIDEOS >= verdict(grouped).effective
    with pytest.raises(InputError, match="no 'patient' in the truth"):
        judged(folders, replace(REQUEST, groups="patient"))


def test_the_noise_of_seeds_is_the_baselines_with_or_without_variants(study: DrawnStudy) -> None:
    folders = write_all(study)
    found = judged(folders)
    noise = found.seed_noise
    aps = [run.metrics["AP"] for run in found.variants[0].runs]
    assert noise.sd == pytest.approx(statistics.stdev(aps))
    assert (noise.runs, noise.seeds, noise.images) == (3, 3, IMAGES)
    assert noise.detectable > 2**0.5 * noise.sd
    runs = find_runs(folders[:3])
    alone = judge_runs(build_comparison(runs, alone=True), runs, REQUEST)
    assert (alone.seed_noise, alone.terms, alone.judged()) == (noise, TERMS, [])


@pytest.mark.parametrize(
    ("images", "note"),
    [
        (3, "No verdict: AP of yolox_s, seed 0, is undefined on"),  # only one shows an object
        (1, "No verdict: an interval needs at least 2 test images"),
    ],
)
def test_images_too_few_for_resamples_are_noted(study: DrawnStudy, images: int, note: str) -> None:
    content = draw_truth(images=images)
    content["annotations"] = [each for each in content["annotations"] if each["image_id"] == 1]
    write_json(study.truth, content)
    folders = []
    for name in ("yolox_s", "yolox_s_cam"):
        detections = draw_detections(content, 0.0, 1)
        ap = metrics_of(content, detections)["AP"]
        folders.append(study.write(name, 0, 0.2, data=study.data, metrics={"AP": ap}))
        write_json(folders[-1] / "detections.json", detections)
    found = judged(folders)
    assert (found.dropped, found.terms, found.judged()) == ((), None, [])
    assert found.notes[-1].startswith(note)


@pytest.fixture
def evaluated(study: DrawnStudy, tmp_path: Path) -> list[Run]:
    """Runs of two variants, each with an evaluation of another split."""
    content = draw_truth(seed=9, images=20)
    write_json(study.truth.with_name("test.json"), content)
    runs = []
    for run in find_runs(write_all(study, seeds=(0, 1))):
        folder = tmp_path / "evaluations" / run.name / run.folder.name
        detections = draw_detections(content, 0.2 if run.name == "yolox_s" else 0.05, 3)
        detections[0]["score"] = 0.1 * run.record.seed
        write_json(folder / "detections.json", detections)
        checkpoint = run.folder / "latest_ckpt.pth"
        checkpoint.write_bytes(run.title.encode())
        sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        values = {"checkpoint": {"file": str(checkpoint), "sha256": sha256}, "split": "test"}
        values |= {"data_dir": study.data["dir"], "annotations": "test.json"}
        values |= {"test_size": [64, 96], "metrics": metrics_of(content, detections)}
        write_json(folder / "evaluation.json", values)
        runs.append(replace(run, evaluation=folder))
    return runs


def test_another_split_is_judged_by_its_own_truth(evaluated: list[Run]) -> None:
    found = judge_runs(build_comparison(evaluated), evaluated, REQUEST)
    assert (found.val_images, found.test_size) == (20, (64, 96))
    assert (found.data["split"], found.data["annotations"]) == ("test", "test.json")
    assert found.dropped == ()
    assert verdict(found).seeds == (0, 1)
    assert found.variants[0].runs[0].metrics["AP"] == evaluated[0].metrics["AP"]


def test_an_evaluation_from_before_the_run_went_on_closes_its_pair(evaluated: list[Run]) -> None:
    (evaluated[3].folder / "latest_ckpt.pth").write_bytes(b"two epochs more")
    found = judge_runs(build_comparison(evaluated), evaluated, REQUEST)
    (dropped,) = found.dropped
    assert (dropped.name, dropped.seed) == ("yolox_s_cam", 1)
    assert "latest_ckpt.pth as it is now" in dropped.why


def test_an_evaluation_is_compared_with_its_own_metrics(evaluated: list[Run]) -> None:
    path = evaluated[2].evaluation / "evaluation.json"
    values = json.loads(path.read_text())
    values["metrics"]["AP"] += 2e-6
    write_json(path, values)
    runs = [replace(run) for run in evaluated]
    (dropped,) = judge_runs(build_comparison(runs), runs, REQUEST).dropped
    assert "evaluation.json says" in dropped.why


def test_a_truth_is_where_the_run_says_or_nowhere(
    study: DrawnStudy, write_run: Callable[..., Path]
) -> None:
    here = find_runs([study.write("yolox_s", 0, 0.1)])
    assert find_truth(here, None) == find_truth(here, study.truth) == study.truth
    for seed, (folder, expected) in enumerate(
        [(None, None), ("gone", Path("gone/annotations/v.json"))], start=1
    ):
        runs = find_runs([write_run("yolox_s", seed, data={"dir": folder})])
        assert find_truth(runs, None) is None
        assert named_truth(runs[0]) == expected


def test_runs_without_a_hash_take_the_truth_they_are_given(
    study: DrawnStudy, tmp_path: Path
) -> None:
    """Their AP, taken again, shows whether it is the right one."""
    other = write_json(tmp_path / "other.json", draw_truth(seed=1))
    bare = find_runs([study.write("yolox_s", 0, 0.1, data={**study.data, "val_sha256": None})])
    assert find_truth(bare, other) == other


def runs_of(*points: float) -> dict[int, Measured]:
    """Runs of such AP points, in which the images are the same noise."""
    shared = np.random.default_rng(0).normal(0, 5, 2000)
    classes = np.zeros(1), np.zeros((1, 1))
    return {
        seed: Measured({"AP": ap}, {"AP": ap + shared}, {"AP": ap + shared / 45}, *classes)
        for seed, ap in enumerate(points)
    }


TEST = TestSet(300, 300, ("cell",), (300,))


def test_the_noise_of_three_runs() -> None:
    """s = 0.1 points, so pairs scatter by 0.141: 3 seeds see 3.26 times that, 4 see 2.13.

    Chi-square limits of a deviation from 3 runs: 0.52 and 6.3 times it.
    """
    noise = seed_noise(runs_of(40.1, 40.0, 40.2), TEST, Terms(sesoi=0.5))
    assert noise.sd == pytest.approx(0.001)
    assert noise.interval == pytest.approx((0.00052, 0.0063), rel=0.01)
    assert noise.detectable == pytest.approx(0.00461, rel=0.01)
    assert (noise.runs, noise.seeds, noise.images, noise.needed) == (3, 3, 300, 3)
    dearer = seed_noise(runs_of(40.1, 40.0, 40.2), TEST, Terms(sesoi=0.31))
    assert dearer.needed == 4
    assert seed_noise(runs_of(40.0), TEST, Terms()) is None


def test_a_resample_without_any_object_is_refused() -> None:
    alone = runs_of(40.1, 40.0)
    alone[1].resampled["AP"][3] = np.nan
    with pytest.raises(InputError, match="seed 1, is undefined on 1 of 4000 resamples"):
        seed_noise(alone, TEST, Terms())
