"""A judged Comparison as a study of drawn AP values gives it, for the tests of what shows one."""

from dataclasses import replace
from functools import cache

import numpy as np

from yolox_attn.cost import Latency
from yolox_attn.report.comparison import (
    Built,
    Comparison,
    Dropped,
    PlanSummary,
    RunResult,
    SeedNoise,
    Variant,
    averaged,
    with_differences,
)
from yolox_attn.report.sentences import settling_sentence, verdict_sentence
from yolox_attn.stats.judge import judge
from yolox_attn.stats.measured import Measured, Side, TestSet
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import Judgement
from yolox_attn.stats.weighted_ap import AP_METRICS

IMAGES = 300
CLASSES = ("platelets", "red cell", "white cell")
CLASS_IMAGES = (120, 300, 12)  # the last one is too rare for an interval
TERMS = Terms(replicates=400)
EFFECTS = {  # name -> block, true effect in AP points, scatter of its seeds, role
    "yolox_nano": ("none", 0.0, 0.25, "baseline"),
    "yolox_nano_cam": ("cam", 1.6, 0.1, "variant"),
    "yolox_nano_se": ("se", 0.02, 0.05, "variant"),
    "yolox_nano_eca": ("eca", 0.3, 0.9, "variant"),
    "yolox_nano_cbam": ("cbam", -2.0, 0.1, "variant"),
    "yolox_nano_placebo": ("placebo", -0.05, 0.3, "control"),
}


def measured(ap: float, noise: np.ndarray, rng: np.random.Generator) -> Measured:
    """A run of AP `ap` points whose resamples move by `noise` (R,) plus a little of its own."""
    own = noise + rng.normal(0, 0.1, noise.size)
    shifts = dict(zip(AP_METRICS, (0, 30, 5, -20, -3, 10), strict=True))
    by_class = np.array([ap - 8, ap + 4, ap + 4])
    of_classes = rng.normal(0, 0.3, (noise.size, 3)) + noise[:, None]
    left_out = noise.size**0.5 / (noise.size - 1)  # as much less as the jackknife undoes
    return Measured(
        metrics={name: ap + shift for name, shift in shifts.items()},
        resampled={name: ap + shift + own for name, shift in shifts.items()},
        left_out={name: ap + shift + left_out * own for name, shift in shifts.items()},
        by_class=by_class,
        class_left_out=by_class + left_out * of_classes,
    )


@cache
def judged_comparison(seeds: int = 5) -> Comparison:
    """One variant of each verdict, and a placebo; the same every time."""
    rng = np.random.default_rng(3)
    noise, of_seed = rng.normal(0, 1.0, 400), rng.normal(0, 0.4, seeds)
    tastes = np.random.default_rng(4).normal(0, 0.05, (len(EFFECTS), 400))  # of each variant
    runs = {
        name: {
            seed: measured(40 + effect + of_seed[seed] + rng.normal(0, scatter), noise + own, rng)
            for seed in range(seeds)
        }
        for (name, (_, effect, scatter, _)), own in zip(EFFECTS.items(), tastes, strict=True)
    }
    baseline, *others = (Side(name, runs[name], EFFECTS[name][3] == "control") for name in runs)
    judgements = judge(baseline, others, TestSet(IMAGES, IMAGES, CLASSES, CLASS_IMAGES), TERMS)
    plain = [_variant(name, runs[name], place) for place, name in enumerate(EFFECTS)]
    base, *variants = with_differences(plain)
    return Comparison(
        baseline="yolox_nano",
        variants=(base, *(with_judgement(each, judgements[each.name]) for each in variants)),
        test_size=(320, 320),
        val_images=IMAGES,
        notes=("The runs differ in number of threads: 1 (yolox_nano), 2 (yolox_nano_cam).",),
        terms=TERMS,
        family=tuple(each.name for each in variants if each.role == "variant"),
        plan=PlanSummary(
            file="studies/cells/plan.json",
            hash="3f" * 32,
            created="2026-01-02T03:04:05+00:00",
            split="val",
            seeds=(0, 1, 2, 3, 4),
        ),
        dropped=(
            Dropped("yolox_nano_eca", 7, "failed: epoch 3, iteration 9: gradients not finite"),
        ),
        seed_noise=SeedNoise(5, 0.0045, (0.0027, 0.013), 5, IMAGES, 0.0107, 14),
        data={"dir": "data/cells", "val_ann": "val.json", "val_sha256": "ab" * 32, "classes": 3},
        software={"python": "3.11.2", "torch": "2.15.0", "yolox": "0.3.0"},
        hardware={"device": "cpu", "cpu": "a chip", "threads": "1"},
        commands=("python tools/study.py plan ...", "python tools/study.py run studies/cells"),
    )


def with_judgement(variant: Variant, judgement: Judgement) -> Variant:
    """The variant with that judgement and its words."""
    return replace(
        variant,
        judgement=judgement,
        sentence=verdict_sentence(variant.name, judgement, TERMS),
        settling=settling_sentence(judgement, TERMS),
    )


def _variant(name: str, runs: dict[int, Measured], place: int) -> Variant:
    block, _, _, role = EFFECTS[name]
    levels = ("dark3", "dark4", "dark5") if block != "none" else ()
    parameters, gflops = 900_000 + 6_000 * place, 0.54 + 0.01 * place
    return Variant(
        name=name,
        attention=block,
        **averaged([_result(name, seed, each, place) for seed, each in runs.items()]),
        parameters=parameters,
        gflops=gflops,
        gflops_training=gflops,
        latency=Latency(20.0 + place, 19.0 + place, 23.0 + place),
        role=role,
        built=tuple(Built(level, block, {}, 2_000 * place) for level in levels),
        trainable=parameters,
        optimised=parameters,
    )


def _result(name: str, seed: int, run: Measured, place: int) -> RunResult:
    ap = run.metrics["AP"] / 100
    return RunResult(
        f"studies/cells/runs/{name}/seed{seed}",
        seed,
        {key: value / 100 for key, value in run.metrics.items()},
        curve=tuple((epoch, ap * (1 - 0.5**epoch)) for epoch in range(1, 9)),
        seconds=600.0 + 20 * place + seed,
        peak_memory=1_500_000_000 + place * 10_000_000,
    )
