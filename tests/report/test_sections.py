from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import sections as findings
from yolox_attn.report import sections as origins
from yolox_attn.report import sections as scatter
from yolox_attn.report.text import Bullets, Grid

FIVE = judged_comparison(5)
UNPLANNED = "No plan was made before these runs: read the p values as exploratory."


def bullets(section) -> list[str]:
    return [item for part in section.parts if isinstance(part, Bullets) for item in part.items]


def grid(section) -> Grid:
    return next(part for part in section.parts if isinstance(part, Grid))


def without_judgement(comparison, name):
    variants = [
        replace(each, judgement=None) if each.name == name else each for each in comparison.variants
    ]
    return replace(comparison, variants=tuple(variants))


def test_a_sentence_a_variant_and_controls_last_and_marked() -> None:
    placebo, *blocks = FIVE.variants[-1], *FIVE.variants[1:-1]
    shuffled = replace(FIVE, variants=(FIVE.variants[0], placebo, *blocks))
    assert bullets(findings.verdicts(shuffled)) == [
        *(each.judgement.sentence for each in blocks),
        f"Control: {placebo.judgement.sentence}",
    ]


def test_what_could_not_be_judged_is_named_among_the_verdicts() -> None:
    found = bullets(findings.verdicts(without_judgement(FIVE, "yolox_nano_se")))
    assert found[-1] == "yolox_nano_se is not judged; the notes say why."
    assert len(found) == 5


def test_no_plan_is_said_in_a_line_of_its_own() -> None:
    assert UNPLANNED in findings.verdicts(replace(FIVE, plan=None)).parts
    assert UNPLANNED not in findings.verdicts(FIVE).parts


def test_missing_runs_are_told_beside_the_verdicts() -> None:
    assert "1 run is missing from these numbers, see below." in findings.verdicts(FIVE).parts
    assert len(findings.verdicts(replace(FIVE, dropped=())).parts) == 2


def test_groups_are_not_taken_for_images() -> None:
    text = findings.scale(replace(FIVE, groups="120 groups by video"))
    assert text.endswith("not single images but 120 groups by video.")


def test_open_cases_of_one_answer_stand_together_and_controls_are_left_open() -> None:
    assert [item.split(":")[0] for item in bullets(findings.settling(FIVE))] == ["yolox_nano_eca"]
    (item,) = bullets(findings.settling(judged_comparison(1)))
    assert item.startswith(
        "yolox_nano_cam, yolox_nano_se, yolox_nano_eca, yolox_nano_cbam: Train at least 3 seeds"
    )


def test_nothing_open_gives_no_section() -> None:
    assert not findings.settling(without_judgement(FIVE, "yolox_nano_eca")).parts


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_each_column_of_the_caption_is_in_the_table(seeds: int) -> None:
    table, caption = findings.main_table(judged_comparison(seeds)).parts
    assert [each.split(": ")[0] for each in caption.split("; ")] == [
        head for head in table.headers if head not in ("variant", "runs", "verdict", "params (M)")
    ]
    assert ("Holm p" in table.headers) == (seeds > 2)


def test_seed_by_seed_the_pairs_stand_in_their_columns() -> None:
    cam = FIVE.variants[1]
    fewer = replace(cam.judgement, seeds=(0, 2), differences=(0.01, -0.02), difference=-0.005)
    some = replace(FIVE, variants=(FIVE.variants[0], replace(cam, judgement=fewer)))
    assert grid(findings.seeds(some)).rows == [["yolox_nano_cam", "+1.00", "-2.00", "-0.50"]]
    both = replace(FIVE, variants=(*some.variants, FIVE.variants[2]))
    assert grid(findings.seeds(both)).headers == [
        "variant",
        *(f"seed {seed}" for seed in range(5)),
        "mean",
    ]
    assert grid(findings.seeds(both)).rows[0][1:] == ["+1.00", "-", "-2.00", "-", "-", "-0.50"]


def test_a_study_that_is_not_finished_says_so_before_anything_else() -> None:
    waiting = replace(FIVE, pending=3)
    assert "INTERIM: 3 planned runs are still to come." in str(findings.verdicts(waiting).parts)
    assert "INTERIM" not in str(findings.verdicts(FIVE).parts)


FIVE_SCATTER = judged_comparison(5)
CAM = FIVE_SCATTER.variants[1]


def with_errors(of_seeds, of_images):
    return replace(CAM.judgement, seed_error=of_seeds, image_error=of_images)


@pytest.mark.parametrize(
    ("of_seeds", "of_images", "name"),
    [
        (0.002, 0.001, "seeds"),
        (0.001, 0.002, "images"),
        (0.001, 0.001, "both"),
        (0.0, 0.0, "none"),
        (None, 0.001, "unknown"),
    ],
)
def test_which_noise_is_the_larger(of_seeds, of_images, name) -> None:
    assert scatter.source(with_errors(of_seeds, of_images)) == name


@pytest.mark.parametrize(
    ("of_seeds", "of_images", "words"),
    [
        (0.002, 0.001, "Buy seeds: in 1 of 1 variants"),
        (0.001, 0.002, "Label images: in 1 of 1 variants"),
        (0.001, 0.001, "buy both"),
        (None, 0.001, "train at least 3."),
    ],
)
def test_the_advice_names_what_to_buy_and_leaves_controls_out(of_seeds, of_images, words) -> None:
    control = replace(CAM, role="control")
    pairs = [(CAM, with_errors(of_seeds, of_images)), *[(control, with_errors(0.0, 0.0))] * 3]
    assert words in scatter.advice(pairs)


def test_the_table_shows_both_parts_and_what_could_be_seen() -> None:
    advice, grid, text = scatter.noise(FIVE_SCATTER).parts
    assert advice.startswith("Buy seeds: in 4 of 4 variants")
    assert grid.rows[0] == ["yolox_nano_cam", "±0.12", "±0.06", "train more seeds", "0.59"]
    assert text.endswith("(blocks: at the first Holm step of 4).")


def test_one_seed_has_no_detectable_effect() -> None:
    _, grid, text = scatter.noise(judged_comparison(1)).parts
    assert grid.headers == ["variant", "seeds give", "test images give", "to narrow it"]
    assert grid.rows[0][1] == "unknown"
    assert "etectable" not in text


def test_the_baselines_own_noise() -> None:
    (text,) = scatter.floor(FIVE_SCATTER).parts
    assert text.startswith("5 runs of yolox_nano scatter by 0.45 AP ")
    assert text.endswith("1.07 AP four times in five; to find 0.50 AP takes 14 seeds a side.")
    assert "5 seeds a side on 300 images find" in text
    noise = replace(FIVE_SCATTER.seed_noise, needed=None)
    (text,) = scatter.floor(replace(FIVE_SCATTER, seed_noise=noise)).parts
    assert text.endswith("; no affordable number of seeds finds 0.50 AP.")
    assert not scatter.floor(replace(FIVE_SCATTER, seed_noise=None)).parts


FIVE_ORIGINS = judged_comparison(5)


def test_runs_left_out_are_named_with_the_reason() -> None:
    _, bullets = origins.dropped(FIVE_ORIGINS).parts
    assert list(bullets.items) == [
        "yolox_nano_eca seed 7: failed: epoch 3, iteration 9: gradients not finite."
    ]
    assert not origins.dropped(replace(FIVE_ORIGINS, dropped=())).parts


def test_the_plan_its_hash_and_its_terms() -> None:
    (bullets,) = origins.plan(FIVE_ORIGINS).parts
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
    (bullets,) = origins.plan(replace(FIVE_ORIGINS, plan=None, groups="40 groups by patient")).parts
    assert bullets.items[0].startswith("No plan was made before these runs")
    assert bullets.items[-1] == "Resamples of 40 groups by patient: 400, drawn with seed 0"


def test_software_and_hardware_and_data() -> None:
    (bullets,) = origins.surroundings(FIVE_ORIGINS).parts
    assert bullets.items[1] == "Software: python 3.11.2, torch 2.15.0, yolox 0.3.0"
    assert len(bullets.items) == 3
    assert not origins.surroundings(replace(FIVE_ORIGINS, data={}, software={}, hardware={})).parts


def test_a_control_is_never_counted_in_the_family() -> None:
    (bullets,) = origins.notes(FIVE_ORIGINS).parts
    family, outside = bullets.items[1].split("; controls stand outside of it: ")
    assert family == (
        "p values are adjusted by Holm over the family: yolox_nano_cam, yolox_nano_se, "
        "yolox_nano_eca, yolox_nano_cbam"
    )
    assert outside == "yolox_nano_placebo."


def test_intervals_are_said_to_be_unadjusted_and_the_comparisons_notes_come_last() -> None:
    (bullets,) = origins.notes(FIVE_ORIGINS).parts
    assert "each unadjusted for the number of variants" in bullets.items[0]
    assert bullets.items[-1] == FIVE_ORIGINS.notes[0]


def test_a_family_of_one_is_not_adjusted() -> None:
    (bullets,) = origins.notes(replace(FIVE_ORIGINS, family=("yolox_nano_cam",))).parts
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
