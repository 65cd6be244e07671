from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import format as cells

FIVE = judged_comparison(5)
CAM = FIVE.variants[1]
PLACEBO = FIVE.variants[-1]


def judged(**changes):
    return replace(CAM.judgement, **changes)


def test_main_table_has_the_columns_that_are_cited() -> None:
    heads, rows = cells.filled(cells.main_columns(FIVE), FIVE.variants)
    assert heads == [
        "variant",
        "runs",
        "AP",
        "diff",
        "95 % interval",
        "Holm p",
        "seeds won",
        "verdict",
        "params (M)",
        "GFLOPs",
        "latency (ms)",
    ]
    assert rows[0][3:8] == ["", "", "", "", "baseline"]
    assert rows[1] == [
        "yolox_nano_cam",
        "5",
        "41.64 ± 0.45",
        "+1.73",
        "+1.41 to +2.06",
        "<0.001",
        "5 of 5 (.48-1.00)",
        "helps",
        "0.91",
        "0.55",
        "21.0 (20.0-24.0)",
    ]


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    bare = [
        replace(each, parameters=None, gflops=None, gflops_training=None, latency=None)
        for each in FIVE.variants
    ]
    heads, rows = cells.filled(cells.main_columns(replace(FIVE, variants=tuple(bare))), bare)
    assert heads[-1] == "verdict"
    assert {len(row) for row in rows} == {8}


def test_a_controls_p_is_its_own_and_in_brackets() -> None:
    assert cells.holm_p(PLACEBO.judgement) == "(0.413)"
    assert cells.holm_p(judged(p_holm=0.0304)) == "0.030"
    assert cells.holm_p(judged(seeds=(0, 1))) == "-"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"wins": 4, "probability_interval": (0.284, 0.995)}, "4 of 5 (.28-.99)"),
        ({"wins": 3, "ties": 1, "probability_interval": (0.1, 1.0)}, "3 of 5, 1 tied (.10-1.00)"),
    ],
)
def test_seeds_won(changes, text) -> None:
    # 0.995 is stored a little below itself
    assert cells.seeds_won(judged(**changes)) == text


def test_runs_without_a_partner_are_told() -> None:
    assert cells.runs(replace(CAM, judgement=judged(seeds=(0, 1, 2)))) == "5 (3 paired)"
    assert cells.runs(CAM) == "5"


def test_what_is_not_judged_says_so_and_keeps_its_difference() -> None:
    alone = replace(CAM, judgement=None)
    assert cells.verdict(alone) == "not judged"
    assert cells.difference(alone) == "+1.73"
    assert cells.verdict(PLACEBO) == "control: cannot tell"


def test_small_numbers_are_not_shown_as_0() -> None:
    assert cells.size(0.00004) == "0.004"
    assert cells.signed(-0.00004) == "-0.004"
    assert cells.p_text(0.00049) == "<0.001"
    assert cells.p_text(0.0504) == "0.050"


def test_the_level_of_the_intervals_is_that_of_the_terms() -> None:
    assert cells.confidence(replace(FIVE, terms=replace(FIVE.terms, alpha=0.1))) == "90 %"
