from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import sections as origins

FIVE = judged_comparison(5)


def test_runs_left_out_are_named_with_the_reason() -> None:
    _, bullets = origins.dropped(FIVE).parts
    assert list(bullets.items) == [
        "yolox_nano_eca seed 7: failed: epoch 3, iteration 9: gradients not finite."
    ]
    assert not origins.dropped(replace(FIVE, dropped=())).parts


def test_the_plan_its_hash_and_its_terms() -> None:
    (bullets,) = origins.plan(FIVE).parts
    assert list(bullets.items) == [
        "File: studies/cells/plan.json, made 2026-01-02T03:04:05+00:00",
        f"SHA-256: {'3f' * 32}",
        "Split that judges: val",
        "Seeds: 0, 1, 2, 3, 4",
        "Smallest effect worth having: 0.50 AP",
        "Alpha: 0.05",
        "Resamples of the test images: 400, drawn with seed 0",
    ]


def test_without_a_plan_its_section_says_so_and_keeps_the_terms() -> None:
    (bullets,) = origins.plan(replace(FIVE, plan=None, groups="40 groups by patient")).parts
    assert bullets.items[0].startswith("No plan was made before these runs")
    assert bullets.items[-1] == "Resamples of 40 groups by patient: 400, drawn with seed 0"


def test_software_and_hardware_and_data() -> None:
    (bullets,) = origins.surroundings(FIVE).parts
    assert bullets.items[1] == "Software: python 3.11.2, torch 2.15.0, yolox 0.3.0"
    assert len(bullets.items) == 3
    assert not origins.surroundings(replace(FIVE, data={}, software={}, hardware={})).parts


def test_a_control_is_never_counted_in_the_family() -> None:
    (bullets,) = origins.notes(FIVE).parts
    family, outside = bullets.items[1].split("; controls stand outside of it: ")
    assert family == (
        "p values are adjusted by Holm over the family: yolox_nano_cam, yolox_nano_se, "
        "yolox_nano_eca, yolox_nano_cbam"
    )
    assert outside == "yolox_nano_placebo."


def test_intervals_are_said_to_be_unadjusted_and_the_comparisons_notes_come_last() -> None:
    (bullets,) = origins.notes(FIVE).parts
    assert "each unadjusted for the number of variants" in bullets.items[0]
    assert bullets.items[-1] == FIVE.notes[0]


def test_a_family_of_one_is_not_adjusted() -> None:
    (bullets,) = origins.notes(replace(FIVE, family=("yolox_nano_cam",))).parts
    assert bullets.items[1].startswith("p values are unadjusted: the family is yolox_nano_cam;")


@pytest.mark.parametrize(
    ("seeds", "seed_error", "warned"), [(3, 0.003, True), (3, 0.001, False), (5, 0.003, False)]
)
def test_three_seeds_that_are_the_noise_are_warned_of(
    seeds: int, seed_error: float, warned: bool
) -> None:
    comparison = judged_comparison(seeds)
    cam = comparison.variants[1]
    assert cam.judgement is not None
    found = replace(cam.judgement, seed_error=seed_error, image_error=0.001)
    only = replace(comparison, variants=(comparison.variants[0], replace(cam, judgement=found)))
    (bullets,) = origins.notes(only).parts
    assert (origins.FEW_SEEDS in bullets.items) is warned
