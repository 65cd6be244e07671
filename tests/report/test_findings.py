from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import sections as findings
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
