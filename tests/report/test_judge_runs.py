import copy
import hashlib
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judged_comparison import judged_comparison, measured
from judged_runs import (
    IMAGES,
    VIDEOS,
    DrawnStudy,
    draw_detections,
    draw_truth,
    metrics_of,
    write_json,
)

from yolox_attn.coco.annotations import read_truth, truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.coco.results import read_detections
from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, Request, Run, compare, find_runs, judge_runs
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.judge_runs import (
    find_truth,
    named_truth,
    seed_noise,
    unknown_categories,
    with_verdicts,
)
from yolox_attn.stats.bootstrap import image_weights
from yolox_attn.stats.judge import judge
from yolox_attn.stats.measured import (
    Measured,
    Side,
    TestSet,
    draw_resamples,
    images_of_classes,
    measure,
)
from yolox_attn.stats.verdict import Judgement, Terms
from yolox_attn.stats.weighted_ap import best_engine

TERMS = Terms(replicates=100, seed=5)
REQUEST = Request(terms=TERMS)
TWO = {"yolox_s": 0.2, "yolox_s_cam": 0.05}
THREE = {**TWO, "yolox_s_placebo": 0.2}


def write_all(study: DrawnStudy, seeds: Sequence[int] = (0, 1, 2), **blurs: float) -> list[Path]:
    """Write the runs of every variant; no two have the same luck."""
    return [
        study.write(name, seed, blur + 0.005 * place)
        for place, (name, blur) in enumerate((blurs or TWO).items())
        for seed in seeds
    ]


def judged(folders: Sequence[Path], request: Request = REQUEST) -> Comparison:
    runs = find_runs(folders)
    return judge_runs(compare(runs), runs, request)


def variant(found: Comparison, name: str) -> Variant:
    return next(each for each in found.variants if each.name == name)


def verdict(found: Comparison, name: str = "yolox_s_cam") -> Judgement:
    judgement = variant(found, name).judgement
    assert judgement is not None
    return judgement


def test_the_verdict_is_that_of_the_statistics_called_by_hand(study: DrawnStudy) -> None:
    folders = write_all(study, **THREE)
    truth = read_truth(study.truth)
    weights = image_weights(np.random.default_rng(5), IMAGES, 100)
    runs: dict[str, dict[int, object]] = {}
    for folder in folders:
        seed = int(folder.name.removeprefix("seed"))
        matches = match(truth, read_detections(folder / "detections.json"))
        runs.setdefault(folder.parent.name, {})[seed] = measure(matches, weights)
    sides = [Side(name, each, name.endswith("placebo")) for name, each in runs.items()]  # type: ignore[arg-type]
    test = TestSet(IMAGES, truth.class_names, images_of_classes(truth).tolist())
    by_hand = judge(sides[0], sides[1:], test, TERMS)

    found = judged(folders)
    assert {each.name: each.judgement for each in found.variants[1:]} == by_hand
    assert verdict(found).word == "helps"
    assert found.variants[0].judgement is None
    assert (found.terms, found.groups, found.dropped, found.notes) == (TERMS, None, (), ())
    assert found.val_images == IMAGES
    assert found.data["truth"] == str(study.truth)
    assert found.data["truth_sha256"] == found.data["val_sha256"]


def test_controls_stand_outside_the_family(study: DrawnStudy) -> None:
    found = judged(write_all(study, **THREE))
    roles = {each.name: each.role for each in found.variants}
    assert roles == dict(zip(THREE, ("baseline", "variant", "control"), strict=True))
    assert found.family == ("yolox_s_cam",)
    assert verdict(found, "yolox_s_placebo").p_holm is None


def test_each_run_is_told_before_it_is_judged(study: DrawnStudy) -> None:
    told: list[str] = []
    folders = write_all(study, seeds=(0, 1), **THREE)
    folders.append(study.write("yolox_s_cam", 9, 0.2))  # has no partner: nothing to judge
    runs = find_runs(folders)
    judge_runs(compare(runs), runs, REQUEST, told.append)
    engine = best_engine().name
    assert told[0] == f"judging 1 of 6: yolox_s seed 0 ({engine})"
    assert told[3] == f"judging 4 of 6: yolox_s_cam seed 1 ({engine})"
    assert len(told) == 6


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


def test_a_truth_that_has_moved_is_asked_for_and_can_be_named(
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
    cam = variant(found, "yolox_s_cam")
    assert cam.judgement is not None
    assert cam.judgement.seeds == (0, 2)
    assert cam.difference is not None
    assert cam.difference.seeds == (0, 2)
    assert cam.difference.metrics["AP"] == pytest.approx(cam.judgement.difference)
    kept = [run.seed for run in cam.runs]
    assert kept == ([0, 2] if name == "yolox_s_cam" else [0, 1, 2])
    same = cam.mean == variant(full, "yolox_s_cam").mean
    assert same == (name == "yolox_s")  # a run that is left out is in no mean either
    (dropped,) = found.dropped
    assert (dropped.name, dropped.seed) == (name, 1)
    assert dropped.why == f"{lost / 'detections.json'} is missing"
    assert verdict(found, "yolox_s_placebo").seeds == ((0, 2) if name == "yolox_s" else (0, 1, 2))


def test_detections_of_another_checkpoint_are_refused(study: DrawnStudy) -> None:
    folders = write_all(study)
    newer = draw_detections(study.content, 0.04, 77)
    write_json(folders[4] / "detections.json", newer)
    found = judged(folders)
    (dropped,) = found.dropped
    assert (dropped.name, dropped.seed) == ("yolox_s_cam", 1)
    ap = metrics_of(study.content, newer)["AP"]
    assert f"gives AP {ap:.6f}, run.json says" in dropped.why
    assert "not of this checkpoint" in dropped.why
    cam = verdict(found)
    assert cam.seeds == (0, 2)


def test_detections_that_cannot_be_read_close_their_pair_too(study: DrawnStudy) -> None:
    folders = write_all(study)
    (folders[3] / "detections.json").write_text("[{")
    stranger = [{"image_id": 999, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 0.5}]
    write_json(folders[4] / "detections.json", stranger)
    found = judged(folders)
    assert "is no json that can be read" in found.dropped[0].why
    assert "the truth has no image 999" in found.dropped[1].why
    cam = verdict(found)
    assert cam.seeds == (2,)
    assert cam.word == "cannot tell"


def test_a_variant_without_any_pair_left_has_no_verdict(study: DrawnStudy) -> None:
    folders = write_all(study, seeds=(0, 1), **THREE)
    for folder in folders[2:4]:
        (folder / "detections.json").unlink()
    found = judged(folders)
    cam = variant(found, "yolox_s_cam")
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


def test_groups_by_key_and_by_csv_change_the_interval(study: DrawnStudy, tmp_path: Path) -> None:
    folders = write_all(study)
    listed = tmp_path / "scenes.csv"
    rows = [f"{image['file_name']},{image['video']}" for image in study.content["images"]]
    listed.write_text("\n".join(["image,group", *rows]))
    alone, by_key, by_csv = (
        judged(folders, replace(REQUEST, groups=groups)) for groups in (None, "video", str(listed))
    )
    assert by_key.groups == f"{VIDEOS} groups by video"
    assert by_csv.groups == f"{VIDEOS} groups by scenes.csv"
    intervals = [
        variant(each, "yolox_s_cam").judgement.interval for each in (alone, by_key, by_csv)
    ]  # type: ignore[union-attr]
    assert intervals[0] != intervals[1] == intervals[2]
    with pytest.raises(InputError, match="no 'patient' in the truth"):
        judged(folders, replace(REQUEST, groups="patient"))


def test_the_noise_of_seeds_is_the_baselines(study: DrawnStudy) -> None:
    folders = write_all(study)
    found = judged(folders)
    noise = found.seed_noise
    assert noise is not None
    aps = [run.metrics["AP"] for run in found.variants[0].runs]
    assert noise.sd == pytest.approx(statistics.stdev(aps))  # type: ignore[arg-type]
    assert (noise.runs, noise.seeds) == (3, 3)
    assert noise.detectable > 2**0.5 * noise.sd
    assert noise.images == IMAGES
    assert judged([folder for folder in folders if folder.name == "seed0"]).seed_noise is None


def test_a_baseline_alone_shows_its_noise(study: DrawnStudy) -> None:
    runs = find_runs(write_all(study, yolox_s=0.2))
    found = judge_runs(compare(runs, alone=True), runs, REQUEST)
    assert found.seed_noise is not None
    assert (found.seed_noise.runs, found.terms, found.judged()) == (3, TERMS, [])


def test_one_run_a_side_is_not_a_result(study: DrawnStudy) -> None:
    found = judged(write_all(study, seeds=(0,)))
    cam = verdict(found)
    assert (cam.word, cam.interval) == ("cannot tell", None)
    assert cam.checkpoints[0] < cam.difference < cam.checkpoints[1]
    assert found.notes[0].startswith("One run a side measures a checkpoint and not a block")


def test_images_too_few_for_resamples_are_told(study: DrawnStudy) -> None:
    content = draw_truth(images=3)
    content["annotations"] = [each for each in content["annotations"] if each["image_id"] == 1]
    write_json(study.truth, content)
    folders = []
    for name in ("yolox_s", "yolox_s_cam"):
        detections = draw_detections(content, 0.0, 1)
        ap = metrics_of(content, detections)["AP"]
        folders.append(study.write(name, 0, 0.2, data=study.data, metrics={"AP": ap}))
        write_json(folders[-1] / "detections.json", detections)
    found = judged(folders)
    assert found.dropped == ()
    assert found.notes[-1].startswith("No verdict: AP of yolox_s, seed 0, is undefined on")


@pytest.fixture
def evaluated(study: DrawnStudy, tmp_path: Path) -> list[Run]:
    """Runs of two variants, each with an evaluation of another split."""
    content = draw_truth(seed=9, images=20)
    write_json(study.truth.with_name("test.json"), content)
    runs = []
    for run in find_runs(write_all(study, seeds=(0, 1))):
        folder = tmp_path / "evaluations" / run.name / run.folder.name
        detections = draw_detections(content, 0.2 if run.name == "yolox_s" else 0.05, 3)
        detections[0]["score"] = 0.1 * (run.record.seed or 0)
        write_json(folder / "detections.json", detections)
        (run.folder / "latest_ckpt.pth").write_bytes(run.title.encode())
        checkpoint = {"file": str(run.folder / "latest_ckpt.pth"), "sha256": digest(run)}
        told = {"checkpoint": checkpoint, "split": "test", "data_dir": study.data["dir"]}
        told |= {"annotations": "test.json", "test_size": [64, 96]}
        write_json(folder / "evaluation.json", {**told, "metrics": metrics_of(content, detections)})
        runs.append(replace(run, evaluation=folder))
    return runs


def digest(run: Run) -> str:
    return hashlib.sha256((run.folder / "latest_ckpt.pth").read_bytes()).hexdigest()


def test_another_split_is_judged_by_its_own_truth(evaluated: list[Run]) -> None:
    found = judge_runs(compare(evaluated), evaluated, REQUEST)
    assert (found.val_images, found.test_size) == (20, (64, 96))
    assert (found.data["split"], found.data["annotations"]) == ("test", "test.json")
    assert found.dropped == ()
    cam = verdict(found)
    assert cam.seeds == (0, 1)
    told = json.loads((evaluated[0].evaluation / "evaluation.json").read_text())["metrics"]  # type: ignore[operator]
    assert found.variants[0].runs[0].metrics["AP"] == told["AP"]


def test_an_evaluation_from_before_the_run_went_on_closes_its_pair(evaluated: list[Run]) -> None:
    (evaluated[3].folder / "latest_ckpt.pth").write_bytes(b"two epochs more")
    found = judge_runs(compare(evaluated), evaluated, REQUEST)
    (dropped,) = found.dropped
    assert (dropped.name, dropped.seed) == ("yolox_s_cam", 1)
    assert "latest_ckpt.pth as it is now" in dropped.why


def test_an_evaluation_is_held_against_its_own_figures(evaluated: list[Run]) -> None:
    assert evaluated[2].evaluation is not None
    path = evaluated[2].evaluation / "evaluation.json"
    told = json.loads(path.read_text())
    changed = copy.deepcopy(told)
    changed["metrics"]["AP"] += 2e-6
    write_json(path, changed)
    runs = [replace(run) for run in evaluated]
    (dropped,) = judge_runs(compare(runs), runs, REQUEST).dropped
    assert "evaluation.json says" in dropped.why


def test_the_truth_is_where_the_run_says(study: DrawnStudy) -> None:
    runs = find_runs([study.write("yolox_s", 0, 0.1)])
    assert find_truth(runs, None) == study.truth
    assert find_truth(runs, study.truth) == study.truth


@pytest.mark.parametrize("data", [{"dir": None}, {"dir": "gone"}])
def test_a_truth_that_is_nowhere_is_none(
    write_run: Callable[..., Path], data: dict[str, object]
) -> None:
    runs = find_runs([write_run("yolox_s", data=data)])
    assert find_truth(runs, None) is None
    expected = None if data["dir"] is None else Path("gone/annotations/v.json")
    assert named_truth(runs[0]) == expected


def test_runs_without_a_hash_take_the_truth_they_are_given(
    study: DrawnStudy, tmp_path: Path
) -> None:
    """Their AP, taken again, tells whether it is the right one."""
    other = write_json(tmp_path / "other.json", draw_truth(seed=1))
    hashed, bare = (
        find_runs([study.write("yolox_s", seed, 0.1, data={**study.data, **change})])
        for seed, change in enumerate([{}, {"val_sha256": None}])
    )
    assert find_truth(bare, other) == other
    with pytest.raises(InputError, match="is not the truth"):
        find_truth(hashed, other)


TERMS_VERDICTS = Terms(replicates=100)


def plain() -> Comparison:
    """Two variants of five seeds that nobody has judged_verdicts."""
    found = judged_comparison(5)
    variants = [replace(each, judgement=None) for each in found.variants[:2]]
    return replace(found, variants=tuple(variants), terms=None, family=(), seed_noise=None)


def runs(ap: float, seeds: range) -> dict[int, Measured]:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.2, 100)
    whole = {seed: measured(ap + 0.1 * seed, noise, rng) for seed in seeds}
    return {  # of the truth's two classes
        seed: replace(each, by_class=each.by_class[:2], class_resampled=each.class_resampled[:, :2])
        for seed, each in whole.items()
    }


def judged_verdicts(sides: dict[str, dict[int, Measured]], images: int = 36) -> Comparison:
    drawn = draw_resamples(truth_from(draw_truth(images=images)), TERMS_VERDICTS)
    return with_verdicts(plain(), sides, drawn, TERMS_VERDICTS)


def test_the_difference_is_over_the_judged_seeds() -> None:
    sides = {"yolox_nano": runs(40, range(5)), "yolox_nano_cam": runs(42, range(1, 4))}
    found = judged_verdicts(sides)
    base, cam = found.variants
    assert cam.judgement is not None
    assert cam.difference is not None
    assert cam.judgement.seeds == cam.difference.seeds == (1, 2, 3)
    assert (found.family, found.terms) == (("yolox_nano_cam",), TERMS_VERDICTS)
    assert base.judgement is None
    assert found.seed_noise is not None
    assert found.seed_noise.runs == 5


def test_one_image_is_no_sample() -> None:
    sides = {"yolox_nano": runs(40, range(2)), "yolox_nano_cam": runs(42, range(2))}
    found = judged_verdicts(sides, images=1)
    assert found.notes[-1].startswith("No verdict: an interval needs at least 2 test images")
    assert (found.terms, found.judged_verdicts()) == (None, [])


def test_strangers_are_counted_over_the_runs_of_a_side() -> None:
    each = runs(40, range(2))
    counted = {seed: replace(run, unknown_categories=seed + 2) for seed, run in each.items()}
    (note,) = unknown_categories({"A": each, "B": counted})
    assert note.startswith("B: 5 detections of classes")


TEST = TestSet(300, ("cell",), (300,))


def runs_noise(*points: float, images: float = 0.0) -> dict[int, Measured]:
    """Runs of such AP points whose resamples move by `images` points of their own."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 5, 2000)  # common to all runs_noise: no noise of a difference
    return {
        seed: Measured(
            {"AP": ap},
            {"AP": ap + shared + rng.normal(0, images, 2000)},
            np.zeros(1),
            np.zeros((1, 1)),
        )
        for seed, ap in enumerate(points)
    }


def test_the_noise_of_three_runs() -> None:
    """s = 0.1 points, so pairs scatter by 0.141: 3 seeds see 3.26 times that, 4 see 2.13.

    Chi-square limits of a deviation from 3 runs_noise: 0.52 and 6.3 times it.
    """
    noise = seed_noise(runs_noise(40.1, 40.0, 40.2), TEST, Terms(sesoi=0.5))
    assert noise is not None
    assert noise.sd == pytest.approx(0.001)
    assert noise.interval == pytest.approx((0.00052, 0.0063), rel=0.01)
    assert noise.detectable == pytest.approx(0.00461, rel=0.01)
    assert (noise.runs_noise, noise.seeds, noise.images, noise.needed) == (3, 3, 300, 3)
    dearer = seed_noise(runs_noise(40.1, 40.0, 40.2), TEST, Terms(sesoi=0.31))
    assert dearer is not None
    assert dearer.needed == 4


def test_images_that_two_runs_see_differently_make_it_dearer() -> None:
    quiet, loud = (
        seed_noise(runs_noise(40.1, 40.0, 40.2, images=sd), TEST, Terms(sesoi=0.3))
        for sd in (0.0, 0.5)
    )
    assert quiet is not None
    assert loud is not None
    assert loud.sd == quiet.sd
    assert loud.needed > quiet.needed  # type: ignore[operator]


def test_one_run_has_no_noise_to_tell() -> None:
    assert seed_noise(runs_noise(40.0), TEST, Terms()) is None


def test_a_resample_without_any_object_has_no_noise_to_tell() -> None:
    alone = runs_noise(40.1, 40.0)
    alone[1].resampled["AP"][3] = np.nan
    with pytest.raises(InputError, match="seed 1, is undefined on 1 of 2000 resamples"):
        seed_noise(alone, TEST, Terms())
