from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.sentences import (
    facts,
    headline,
    points,
    settling_sentence,
    verdict_lines,
    verdict_sentence,
)
from yolox_attn.stats.interval import p_value, two_component
from yolox_attn.stats.power import Settling
from yolox_attn.stats.verdict import decide, evidence


def sentence(differences, error, *, family=1, p=None) -> str:
    paired = two_component(differences, error, 300)
    found = evidence(paired, float(p_value(paired)) if p is None else p, family=family)
    return verdict_sentence("cam", decide(found), found)


def had(seeds, images, *, grouped=False):
    """What a study of so many seeds and images had."""
    paired = two_component(range(seeds), 0.3, images)
    return replace(evidence(paired, float(p_value(paired))), grouped=grouped)


@pytest.mark.parametrize(
    ("differences", "error", "start"),
    [
        ([1.4, 1.5, 1.6], 0.2, "cam helps by a worthwhile amount (at least 0.50 AP): +1.50 AP, "),
        ([0.9, 0.6, 0.3, 0.5], 0.1, "cam helps; whether by the 0.50 AP that would matter is open:"),
        ([0.2, 0.25, 0.3], 0.02, "cam helps, but by less than the 0.50 AP that would matter: "),
        ([-1, -1.2, -0.9], 0.1, "cam hurts by an amount that matters (at least 0.50 AP): -1.03 AP"),
        (
            [0.1, -0.1, 0],
            0.05,
            "cam makes no worthwhile difference: if it does anything, then ",
        ),
        ([0, 0, 0], 0.0, "cam makes no worthwhile difference: both sides are identical on every"),
        ([0.6, -0.4, 0.3], 0.3, "Cannot tell whether cam helps or hurts: a gain or a loss that "),
        ([0.3, 0.2, 0.25], 0.3, "Cannot tell whether cam helps or hurts: a gain that would matter"),
        ([-0.3, -0.2, -0.25], 0.3, "Cannot tell whether cam helps or hurts: a loss that would "),
        ([0.9], 0.3, "Cannot tell whether cam helps or hurts: one run each (+0.90 AP) cannot be "),
        ([0.9, 0.8], 0.1, "Cannot tell whether cam helps or hurts: 2 seeds give an interval ("),
        ([1, 1, 1], 0.0, "Cannot tell whether cam helps or hurts: +1.00 AP without any noise to "),
    ],
)
def test_the_word_comes_first(differences, error, start):
    found = sentence(differences, error)
    assert found.startswith(start)
    assert found.endswith(".")
    assert "nan" not in found
    assert "inf" not in found


def test_numbers_seeds_and_images_stand_in_the_sentence():
    assert sentence([1.4, 1.5, 1.6], 0.2).endswith(
        ": +1.50 AP, 95 % interval +1.09 to +1.91, p < 0.001, 3 seeds, 300 test images."
    )


def test_what_holm_took_back_is_explained():
    found = sentence([0.6, 0.5, 0.7, 0.6], 0.18, family=6, p=0.08)
    assert "its interval alone leaves out 0, but with 6 variants one of them does so" in found
    assert "p = 0.080 (Holm, 6 variants)" in found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (1.234, "+1.23"),
        (-0.0049, "-0.005"),
        (0.004, "+0.004"),
        (0.00021, "+0.0002"),
        (-1e-9, "-0.000001"),
    ],
)
def test_rounding_never_hides_that_a_number_is_not_0(value, text):
    assert points(value) == text


@pytest.mark.parametrize(
    ("settling", "words"),
    [
        (
            Settling(12, 900, None),
            "train about 12 seeds a side in all (9 more), or test on about 900 images in all"
            " (600 more); either alone would do",
        ),
        (
            Settling(12, None, None),
            "train about 12 seeds a side in all (9 more); more images alone would not do, as the"
            " noise of the seeds stays",
        ),
        (
            Settling(None, 900, None),
            "test on about 900 images in all (600 more); more seeds alone would not do, as the"
            " noise of the test images stays",
        ),
        (
            Settling(None, None, (9, 900)),
            "train about 9 seeds a side in all (6 more) and test on about 900 images in all"
            " (600 more); neither alone would do",
        ),
    ],
)
def test_what_would_settle_it(settling, words):
    assert settling_sentence(settling, had(3, 300)) == (
        f"To settle it, {words}; a rough number: it rests on the noise of 3 seeds and is enough"
        " four times in five."
    )


def test_two_seeds_are_not_made_up_for_by_images():
    found = settling_sentence(Settling(8, None, None), had(2, 300))
    assert "more images alone would not do, as a verdict takes 3 seeds;" in found


def test_groups_are_not_called_images():
    grouped = had(3, 40, grouped=True)
    assert "3 seeds, 40 groups of test images" in verdict_sentence("cam", decide(grouped), grouped)
    sentence = settling_sentence(Settling(None, 90, None), grouped)
    assert "test on about 90 groups of images in all (50 more)" in sentence


def test_what_nothing_settles():
    found = settling_sentence(Settling(None, None, None), had(3, 300))
    assert found == "No affordable number of seeds and images would settle it."


def test_the_headline_counts_blocks_and_no_controls() -> None:
    assert headline(judged_comparison()) == (
        "Of 4 variants, 1 helps, 1 hurts, 1 makes no worthwhile difference and 1 cannot be told yet"
    )
    assert headline(judged_comparison(1)) == "Of 4 variants, 4 cannot be told yet"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (1, "yolox_nano_cam helps"),
        (2, "yolox_nano_se makes no worthwhile difference"),
        (3, "Cannot tell whether yolox_nano_eca helps"),
        (4, "yolox_nano_cbam hurts"),
        (5, "No verdict on yolox_nano_placebo"),  # a control is no result
    ],
)
def test_the_headline_of_one_variant_is_its_verdict(place: int, text: str) -> None:
    judged = judged_comparison()
    pair = (judged.variants[0], judged.variants[place])
    assert headline(replace(judged, variants=pair)) == text


def test_the_headline_of_a_baseline_alone_is_its_noise() -> None:
    judged = judged_comparison()
    alone = replace(judged, variants=judged.variants[:1], dropped=())
    assert headline(alone) == "yolox_nano scatters by 0.45 AP from seed to seed"


def test_a_sentence_is_cut_behind_the_name_which_may_hold_a_colon() -> None:
    judged = judged_comparison()
    baseline, cam = judged.variants[:2]
    assert cam.judgement is not None
    name = "plain: cam"
    found = replace(cam.judgement, sentence=cam.judgement.sentence.replace(cam.name, name))
    odd = replace(judged, variants=(baseline, replace(cam, name=name, judgement=found)))
    (line,) = verdict_lines(odd)
    assert line.lead == "plain: cam helps by a worthwhile amount (at least 0.50 AP)"
    assert line.rest.startswith("+1.73 AP, 95 % interval")
    assert f"{line.lead}: {line.rest}" == found.sentence


def test_controls_come_last_and_what_is_not_judged_behind_them() -> None:
    judged = judged_comparison()
    baseline, cam, *others = judged.variants
    lines = verdict_lines(
        replace(judged, variants=(baseline, replace(cam, judgement=None), *others))
    )
    assert [line.control for line in lines] == [False, False, False, True, False]
    assert lines[-1].word == "not judged"
    assert verdict_lines(replace(judged, terms=None)) == []


def test_the_facts_are_what_the_verdicts_speak_of() -> None:
    judged = judged_comparison()
    assert facts(judged) == [
        "against yolox_nano",
        "5 seeds a side",
        "300 test images",
        "an effect worth having: 0.5 AP or more",
    ]
    grouped = replace(judged, groups="120 groups by video")
    assert facts(grouped)[2] == "120 groups by video"


def test_the_headline_of_an_unfinished_study_is_no_result() -> None:
    assert headline(replace(judged_comparison(), pending=1)).startswith("Interim, not a result: Of")
