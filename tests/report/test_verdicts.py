from dataclasses import replace

import numpy as np
from judged_comparison import judged_comparison, measured
from judged_runs import draw_truth

from yolox_attn.coco.annotations import truth_from
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.judge_runs import strangers, with_verdicts
from yolox_attn.stats.measured import Measured, draw_resamples
from yolox_attn.stats.verdict import Terms

TERMS = Terms(replicates=100)


def plain() -> Comparison:
    """Two variants of five seeds that nobody has judged."""
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


def judged(sides: dict[str, dict[int, Measured]], images: int = 36) -> Comparison:
    drawn = draw_resamples(truth_from(draw_truth(images=images)), TERMS)
    return with_verdicts(plain(), sides, drawn, TERMS)


def test_the_difference_is_over_the_judged_seeds() -> None:
    sides = {"yolox_nano": runs(40, range(5)), "yolox_nano_cam": runs(42, range(1, 4))}
    found = judged(sides)
    base, cam = found.variants
    assert cam.judgement is not None
    assert cam.difference is not None
    assert cam.judgement.seeds == cam.difference.seeds == (1, 2, 3)
    assert (found.family, found.terms) == (("yolox_nano_cam",), TERMS)
    assert base.judgement is None
    assert found.seed_noise is not None
    assert found.seed_noise.runs == 5


def test_one_image_is_no_sample() -> None:
    sides = {"yolox_nano": runs(40, range(2)), "yolox_nano_cam": runs(42, range(2))}
    found = judged(sides, images=1)
    assert found.notes[-1].startswith("No verdict: an interval needs at least 2 test images")
    assert (found.terms, found.judged()) == (None, [])


def test_strangers_are_counted_over_the_runs_of_a_side() -> None:
    each = runs(40, range(2))
    counted = {seed: replace(run, strangers=seed + 2) for seed, run in each.items()}
    (note,) = strangers({"A": each, "B": counted})
    assert note.startswith("B: 5 detections of classes")
