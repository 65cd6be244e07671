import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.sentences import (
    facts,
    headline,
    settling_sentence,
    verdict_sentence,
    verdict_sentences,
    warnings,
)
from yolox_attn.stats.interval import estimate, image_interval, p_value
from yolox_attn.stats.jackknife import ImageNoise
from yolox_attn.stats.power import Need, Settling
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import Judgement, decide, evidence

FIVE = judged_comparison(5)
TERMS = Terms()


def judgement(
    differences: Iterable[float], error: float, p: float | None = None, **changes: Any
) -> Judgement:
    """What is judged of such differences, AP points, with that noise of 300 images."""
    paired = estimate(list(differences), ImageNoise(*3 * [np.array(error**2)]), 300)
    basis = evidence(paired, float(p_value(paired)) if p is None else p)
    verdict = decide(basis)
    lower, upper = (float(end) / 100 for end in image_interval(paired))
    found = FIVE.variants[1].judgement
    found = replace(
        found,
        word=verdict.word.value,
        amount=verdict.amount and verdict.amount.value,
        family=1,
        seeds=tuple(range(basis.seeds)),
        identical=basis.identical,
        difference=basis.difference / 100,
        interval=fractions(basis.interval),
        narrow=fractions(basis.narrow),
        p_value=basis.p_value,
        p_holm=p,
        checkpoints=(lower, upper),
    )
    return replace(found, **changes)


def fractions(ends: tuple[float, float]) -> tuple[float, float] | None:
    return (ends[0] / 100, ends[1] / 100) if all(map(math.isfinite, ends)) else None


@pytest.mark.parametrize(
    ("differences", "error", "start"),
    [
        ([1.4, 1.5, 1.6], 0.2, "cam helps by a worthwhile amount (at least 0.50 AP): +1.50 AP, "),
        ([0.9, 0.6, 0.3, 0.5], 0.1, "cam helps; whether by the 0.50 AP that would matter is open:"),
        ([0.2, 0.25, 0.3], 0.02, "cam helps, but by less than the 0.50 AP that would matter: "),
        ([-1, -1.2, -0.9], 0.1, "cam hurts by an amount that matters (at least 0.50 AP): -1.03 AP"),
        ([0.1, -0.1, 0], 0.05, "cam makes no worthwhile difference: if it does anything, then "),
        ([0, 0, 0], 0.0, "cam makes no worthwhile difference: both sides are identical on every"),
        ([0.6, -0.4, 0.3], 0.3, "Cannot tell whether cam helps or hurts: a gain or a loss that "),
        ([0.3, 0.2, 0.25], 0.3, "Cannot tell whether cam helps or hurts: a gain that would matter"),
        ([-0.3, -0.2, -0.25], 0.3, "Cannot tell whether cam helps or hurts: a loss that would "),
        ([0.9], 0.3, "Cannot tell whether cam helps or hurts: one run each (+0.90 AP) cannot be "),
        ([0], 0.0, "Cannot tell whether cam helps or hurts: both sides are identical on every im"),
        ([0.9, 0.8], 0.1, "Cannot tell whether cam helps or hurts: 2 seeds give an interval ("),
        ([1, 1, 1], 0.0, "Cannot tell whether cam helps or hurts: +1.00 AP without any noise to "),
    ],
)
def test_the_word_comes_first(differences: list[float], error: float, start: str) -> None:
    sentence = str(verdict_sentence("cam", judgement(differences, error), TERMS))
    assert sentence.startswith(start)
    assert sentence.endswith(".")
    assert "nan" not in sentence
    assert "inf" not in sentence


def test_numbers_seeds_and_images_stand_in_the_sentence() -> None:
    sentence = verdict_sentence("cam", judgement([1.4, 1.5, 1.6], 0.2), TERMS)
    assert sentence.basis == (
        "+1.50 AP, 95 % interval +1.03 to +1.97, p = 0.002, 3 seeds, 300 images"
    )
    wider = verdict_sentence("cam", judgement([0.1, -0.1, 0], 0.05, alpha=0.1), TERMS)
    assert "80 % interval" in wider.basis  # equivalence: 1 - 2 alpha


def test_one_run_a_side_also_says_how_the_two_checkpoints_differ() -> None:
    basis = verdict_sentence("cam", judgement([0.9], 0.3), TERMS).basis
    text = " Of these two checkpoints alone, on images like these: 95 % interval +0.31 to +1.49 AP"
    assert basis.endswith(text)
    assert "checkpoints" not in verdict_sentence("cam", judgement([0.9, 0.8], 0.3), TERMS).basis


def test_what_holm_took_back_is_explained() -> None:
    found = judgement([0.6, 0.5, 0.7, 0.6], 0.18, p=0.08, family=6)
    basis = verdict_sentence("cam", found, TERMS).basis
    assert "its interval alone leaves out 0, but with 6 variants one of them does so by" in basis
    assert "p = 0.080 (Holm, 6 variants)" in basis


SEEDS, IMAGES, BEYOND = Need(12), Need(None, 930), Need(None)


@pytest.mark.parametrize(
    ("settling", "words"),
    [
        (
            Settling(Need(8), SEEDS, 0.4),
            "To settle it: about 8 seeds a side find an effect as large as this one, about 15 seeds"
            " a side find one of 0.50 AP",
        ),
        (
            Settling(IMAGES, BEYOND, 0.4),
            "To settle it: about 950 images find an effect as large as this one, 30 seeds a side on"
            " 300 images find 0.40 AP and more",
        ),
        (
            Settling(BEYOND, BEYOND, 1.234),
            "No affordable study settles it: 30 seeds a side on 300 images find 1.23 AP and more",
        ),
        (Settling(None, SEEDS, 0.4), "To settle it: about 15 seeds a side find one of 0.50 AP"),
    ],
)
def test_what_would_settle_it(settling: Settling, words: str) -> None:
    assert settling_sentence(judgement(range(3), 0.3, settling=settling), TERMS) == (
        f"{words}, four times in five. A rough estimate, from the noise of 3 seeds."
    )


def test_groups_are_not_called_images() -> None:
    settling = Settling(Need(None, 90), IMAGES, 0.4)
    grouped = judgement(range(3), 0.3, grouped=True, images=40, settling=settling)
    assert "3 seeds, 40 groups of images" in str(verdict_sentence("cam", grouped, TERMS))
    assert "about 90 groups of images find" in str(settling_sentence(grouped, TERMS))


def test_too_few_groups_give_no_verdict_and_say_how_many_do() -> None:
    few = judgement(range(3), 0.3, grouped=True, images=12, effective=8.25)
    few = replace(few, word="cannot tell")
    text = "12 groups of images (8.2 if they were equally large) are too few for a verdict"
    assert text in str(verdict_sentence("cam", few, TERMS))
    expected = "Test on at least 10 groups of images of about equal size."
    assert settling_sentence(few, TERMS) == expected


def test_what_needs_seeds_and_what_is_settled() -> None:
    one = judgement([0.9], 0.3, settling=None)
    assert str(settling_sentence(one, TERMS)).startswith("Train at least 3 seeds of both sides:")
    assert settling_sentence(judgement([1.4, 1.5, 1.6], 0.2), TERMS) is None


def test_verdicts_come_first_then_those_of_controls_then_what_is_not_judged() -> None:
    baseline, cam, se, *_, placebo = FIVE.variants
    bare = replace(se, judgement=None)
    sentences = verdict_sentences(replace(FIVE, variants=(baseline, placebo, bare, cam)))
    assert sentences[:2] == [(cam, cam.sentence), (placebo, placebo.sentence)]
    assert [str(sentence) for _, sentence in sentences[2:]] == [
        "yolox_nano_se is not judged: the notes say why."
    ]
    assert verdict_sentences(replace(FIVE, variants=(baseline, bare))) == []


def test_the_headline_counts_blocks_and_no_controls() -> None:
    assert headline(FIVE) == (
        "Of 4 variants, 1 helps, 1 hurts, 1 makes no worthwhile difference and 1 cannot be told yet"
    )
    assert headline(judged_comparison(1)) == "Of 4 variants, 4 cannot be told yet"


@pytest.mark.parametrize(
    ("places", "text"),
    [
        ([1], "yolox_nano_cam helps"),
        ([2], "yolox_nano_se makes no worthwhile difference"),
        ([3], "Cannot tell whether yolox_nano_eca helps"),
        ([4], "yolox_nano_cbam hurts"),
        ([5], "No verdict on yolox_nano_placebo"),  # a control is no result
        ([5, 5], "No verdict on 2 variants"),
        ([], "yolox_nano scatters by 0.45 AP from seed to seed"),
    ],
)
def test_the_headline_of_few_variants(places: list[int], text: str) -> None:
    few = [FIVE.variants[place] for place in (0, *places)]
    assert headline(replace(FIVE, variants=tuple(few))) == text


def test_the_headline_of_one_run_and_of_an_unfinished_study() -> None:
    lone = replace(FIVE, variants=FIVE.variants[:1], seed_noise=None)
    assert headline(lone) == "yolox_nano, compared with nothing"
    assert headline(replace(FIVE, pending=1)).startswith("Interim, not a result: Of")


def test_the_facts_are_what_the_verdicts_are_about() -> None:
    assert facts(replace(FIVE, epochs=30)) == [
        "against yolox_nano",
        "5 seeds a side",
        "300 test images",
        "data set cells",
        "30 epochs at 320x320",
        "an effect worth having: 0.5 AP or more",
    ]
    assert facts(replace(FIVE, groups="120 groups by video"))[2] == "120 groups by video"
    one_seed = judged_comparison(1).variants
    assert facts(replace(FIVE, variants=one_seed))[1] == "1 seed a side"
    mixed = (FIVE.variants[0], one_seed[1], FIVE.variants[2])
    assert facts(replace(FIVE, variants=mixed))[1] == "1 to 5 seeds a side"


def test_warnings_say_what_is_still_to_come_what_is_missing_and_that_there_was_no_plan() -> None:
    assert warnings(replace(FIVE, dropped=())) == []
    interim, missing, unplanned = warnings(replace(FIVE, pending=3, plan=None))
    assert interim.startswith("INTERIM: 3 planned runs are still to come.")
    assert missing == "1 run is missing from these numbers, see below."
    assert unplanned == "No plan was made before these runs: read the p values as exploratory."
