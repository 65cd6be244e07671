from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import sections
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.format import Bullets, Grid, Section

FIVE = judged_comparison(5)
BASELINE, CAM, SE = FIVE.variants[:3]


def bullets(section: Section) -> list[str]:
    return [item for part in section.parts if isinstance(part, Bullets) for item in part.items]


def grid(section: Section) -> Grid:
    return next(part for part in section.parts if isinstance(part, Grid))


def only(*variants: Variant) -> Comparison:
    return replace(FIVE, variants=(BASELINE, *variants))


def unjudged(comparison: Comparison) -> Comparison:
    variants = [replace(each, judgement=None) for each in comparison.variants]
    return replace(comparison, variants=tuple(variants), terms=None, family=(), seed_noise=None)


def test_a_sentence_a_variant_and_controls_are_marked() -> None:
    section = sections.verdicts(only(FIVE.variants[-1], CAM, replace(SE, judgement=None)))
    assert section.title == "Verdicts against yolox_nano"
    assert bullets(section) == [
        str(CAM.sentence),
        f"Control: {FIVE.variants[-1].sentence}",
        "yolox_nano_se is not judged: the notes say why.",
    ]


def test_warnings_follow_the_verdicts_and_stand_alone_without_any() -> None:
    assert sections.verdicts(FIVE).parts[2:] == ("1 run is missing from these numbers, see below.",)
    missing, *_ = sections.verdicts(unjudged(FIVE)).parts
    assert missing == "1 run is missing from these numbers, see below."
    assert sections.verdicts(unjudged(FIVE)).title == "No verdict"
    assert sections.verdicts(only()).title == "Warnings"
    assert not sections.verdicts(replace(unjudged(FIVE), dropped=())).parts


def test_groups_are_not_taken_for_images() -> None:
    text, *_ = sections.verdicts(replace(FIVE, groups="120 groups by video")).parts
    assert text == (
        "AP is AP50:95 in points (0-100), on 300 test images, of each run's last checkpoint."
        " Drawn again and again are not single images but 120 groups by video."
    )


def test_open_cases_of_one_answer_stand_together_and_controls_are_left_open() -> None:
    assert [item.split(":")[0] for item in bullets(sections.settling(FIVE))] == ["yolox_nano_eca"]
    (item,) = bullets(sections.settling(judged_comparison(1)))
    assert item.startswith(
        "yolox_nano_cam, yolox_nano_se, yolox_nano_eca, yolox_nano_cbam: Train at least 3 seeds"
    )
    assert not sections.settling(only(CAM)).parts


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_each_column_of_the_caption_is_in_the_table(seeds: int) -> None:
    table, caption = sections.results(judged_comparison(seeds)).parts
    assert [each.split(": ")[0] for each in caption.split("; ")] == [
        head for head in table.headers if head not in ("variant", "runs", "verdict", "params (M)")
    ]
    assert ("Holm p" in table.headers) == (seeds > 2)


def test_what_was_not_judged_shows_every_metric_and_a_baseline_alone_no_difference() -> None:
    metrics = ["AP50", "AP75", "APs", "APm", "APl", "params (M)", "GFLOPs", "latency (ms)"]
    table, caption = sections.results(unjudged(FIVE)).parts
    assert table.headers == ["variant", "runs", "AP", "diff", *metrics]
    assert caption == (
        "AP in points (0-100) of the latest checkpoint on 300 test images, mean ± standard"
        " deviation over runs; diff: AP minus that of yolox_nano; GFLOPs at 320x320, 2 a"
        " multiply-add."
    )
    _, caption = sections.results(replace(unjudged(FIVE), test_size=None)).parts
    assert caption.endswith("diff: AP minus that of yolox_nano.")
    table, caption = sections.results(only()).parts
    assert table.headers == ["variant", "runs", "AP", *metrics]
    assert "diff" not in caption


def test_seed_by_seed_the_pairs_stand_in_their_columns() -> None:
    fewer = replace(CAM.judgement, seeds=(0, 2), differences=(0.01, -0.02), difference=-0.005)
    some = replace(CAM, judgement=fewer)
    assert grid(sections.seeds(only(some))).rows == [["yolox_nano_cam", "+1.00", "-2.00", "-0.50"]]
    both = grid(sections.seeds(only(some, SE)))
    assert both.headers == ["variant", *(f"seed {seed}" for seed in range(5)), "mean"]
    assert both.rows[0][1:] == ["+1.00", "-", "-2.00", "-", "-", "-0.50"]


@pytest.mark.parametrize(
    ("of_seeds", "of_images", "cell", "words"),
    [
        (0.002, 0.001, "train more seeds", "In 1 of 1 variants the training seeds are"),
        (0.001, 0.002, "label more images", "In 1 of 1 variants the images are the larg"),
        (0.001, 0.001, "both alike", "In 1 of 1 variants seeds and images are noise alike"),
        (0.0, 0.0, "no noise at all", "In 1 of 1 variants there is no noise at all, which separ"),
        (None, 0.001, "train 3 seeds or more", "In 1 of 1 variants there is one seed a side, so"),
    ],
)
def test_the_advice_names_the_larger_noise_and_leaves_controls_out(
    of_seeds: float | None, of_images: float, cell: str, words: str
) -> None:
    block, quiet = (
        replace(CAM, judgement=replace(CAM.judgement, seed_error=error, image_error=images))
        for error, images in ((of_seeds, of_images), (0.0, 0.0))
    )
    advice, table, _ = sections.noise(only(block, *[replace(quiet, role="control")] * 3)).parts
    assert advice.startswith(words)
    assert table.rows[0][table.headers.index("to narrow it")] == cell


def test_the_table_of_noise_shows_both_parts_and_what_could_be_seen() -> None:
    advice, table, text = sections.noise(FIVE).parts
    assert advice.startswith("In 4 of 4 variants the training seeds")
    assert table.rows[0] == ["yolox_nano_cam", "±0.12", "±0.06", "train more seeds", "0.69"]
    assert text.endswith("(blocks: at the first Holm step of 4).")


def test_one_seed_has_no_detectable_effect() -> None:
    _, table, text = sections.noise(judged_comparison(1)).parts
    assert table.headers == ["variant", "seeds give", "images give", "to narrow it"]
    assert table.rows[0][1] == "unknown"
    assert "etectable" not in text


def test_the_baselines_own_noise() -> None:
    (text,) = sections.seed_noise(FIVE).parts
    assert text.startswith("5 runs of yolox_nano scatter by 0.45 AP ")
    assert text.endswith("1.07 AP four times in five.")
    assert "5 seeds a side on 300 images find" in text
    alone = replace(FIVE, variants=FIVE.variants[:1])  # else it is said of each open variant
    (text,) = sections.seed_noise(alone).parts
    assert text.endswith("1.07 AP four times in five; to find 0.50 AP takes 14 seeds a side.")
    noise = replace(FIVE.seed_noise, needed=None)
    (text,) = sections.seed_noise(replace(alone, seed_noise=noise)).parts
    assert text.endswith("; no affordable number of seeds finds 0.50 AP.")
    (text,) = sections.seed_noise(replace(FIVE, terms=None)).parts
    assert text.endswith("1.07 AP four times in five.")
    assert not sections.seed_noise(replace(FIVE, seed_noise=None)).parts


def test_runs_left_out_are_named_with_the_reason() -> None:
    assert bullets(sections.dropped(FIVE)) == [
        "yolox_nano_eca seed 7: failed: epoch 3, iteration 9: gradients not finite."
    ]
    unseeded = replace(FIVE.dropped[0], seed=None)
    assert bullets(sections.dropped(replace(FIVE, dropped=(unseeded,))))[0].startswith(
        "yolox_nano_eca: failed"
    )


def test_the_plan_its_hash_and_its_terms() -> None:
    assert bullets(sections.plan(FIVE)) == [
        "File: studies/cells/plan.json, made 2026-01-02T03:04:05+00:00",
        f"SHA-256: {'3f' * 32}",
        "Split that judges: val",
        "Seeds: 0, 1, 2, 3, 4",
        "Smallest effect worth having: 0.50 AP",
        "Alpha: 0.05",
        "Resamples of the images: 400, drawn with seed 0",
    ]


def test_without_a_plan_its_section_says_so_and_keeps_the_terms_of_verdicts() -> None:
    unplanned = replace(FIVE, plan=None, groups="40 groups by patient")
    items = bullets(sections.plan(unplanned))
    assert items[0].startswith("No plan was made before these runs")
    assert items[-1] == "Resamples of 40 groups by patient: 400, drawn with seed 0"
    assert not sections.plan(unjudged(unplanned)).parts


def test_software_and_hardware_and_data() -> None:
    rows = grid(sections.provenance(FIVE)).rows
    assert ["Software", "torch", "2.15.0"] in rows
    assert ["Data", "val_sha256", "abababababab..."] in rows
    assert {row[0] for row in rows} == {"Data", "Software", "Hardware"}
    assert not sections.provenance(replace(FIVE, data={}, software={}, hardware={})).parts


def test_a_control_is_never_counted_in_the_family_and_own_notes_come_last() -> None:
    intervals, adjusted, *_, own = bullets(sections.notes(FIVE))
    assert "each unadjusted for the number of variants" in intervals
    assert adjusted == (
        "p values are adjusted by Holm over the family: yolox_nano_cam, yolox_nano_se, "
        "yolox_nano_eca, yolox_nano_cbam; controls stand outside of it: yolox_nano_placebo."
    )
    assert own == FIVE.notes[0]
    assert bullets(sections.notes(unjudged(FIVE))) == [FIVE.notes[0]]


def test_a_family_of_one_is_not_adjusted() -> None:
    _, adjusted, *_ = bullets(sections.notes(replace(only(CAM), family=("yolox_nano_cam",))))
    assert adjusted == "p values are unadjusted: the family is yolox_nano_cam."
