from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.sentences import facts, headline, verdict_lines


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
