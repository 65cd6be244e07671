from dataclasses import replace
from typing import Any

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import format as cells
from yolox_attn.stats.verdict import Judgement

FIVE = judged_comparison(5)
CAM, PLACEBO = FIVE.variants[1], FIVE.variants[-1]


def judgement(**changes: Any) -> Judgement:
    return replace(CAM.judgement, **changes)


def test_main_table_has_the_columns_that_are_cited() -> None:
    columns = cells.main_columns(FIVE) | cells.cost_columns(FIVE)
    grid = cells.filled(columns, FIVE.variants)
    assert list(zip(grid.headers, grid.rows[0], grid.rows[1], strict=True)) == [
        ("variant", "yolox_nano", "yolox_nano_cam"),
        ("runs", "5", "5"),
        ("AP", "39.91 ± 0.31", "41.64 ± 0.45"),
        ("diff", "", "+1.73"),
        ("95 % interval", "", "+1.38 to +2.09"),
        ("Holm p", "", "<0.001"),
        ("seeds won", "", "5 of 5 (.48-1.00)"),
        ("verdict", "baseline", "helps"),
        ("params (M)", "0.90", "0.91"),
        ("GFLOPs", "0.54", "0.55"),
        ("latency (ms)", "20.0 (19.0-23.0)", "21.0 (20.0-24.0)"),
    ]
    assert grid.align == "lrrrrrrlrrr"
    assert "90 % interval" in cells.main_columns(
        replace(FIVE, terms=replace(FIVE.terms, alpha=0.1))
    )


def test_a_cell_keeps_the_number_that_it_shows() -> None:
    found = judgement()
    shown = [
        (cells.signed(found.difference), found.difference),
        (cells.span(found.interval), found.interval and found.interval[0]),
        (cells.p_text(3e-05), 3e-05),
        (cells.holm_p(replace(found, p_holm=None)), found.p_value),
        (cells.seeds_won(found), 5),
        (cells.mean(CAM, "AP"), CAM.mean["AP"]),
        (cells.latency(CAM), 21.0),
        (cells.duration(7200), 7200),
        (cells.whole(1_234_567), 1_234_567),
        (cells.NONE, None),
    ]
    assert [getattr(cell, "value", "lost") for cell, _ in shown] == [value for _, value in shown]


def test_a_column_is_aligned_by_its_numbers_and_left_out_without_any() -> None:
    columns = {"a": lambda each: each.name, "b": lambda each: cells.decimal(each.gflops)}
    bare = [replace(each, gflops=None) for each in FIVE.variants]
    assert cells.filled(columns, FIVE.variants).align == "lr"
    assert cells.filled(columns, [*bare, CAM]).align == "lr"
    assert cells.filled(columns, bare).headers == ["a"]
    assert cells.Grid(["a", "b"], []).align == "ll"


def test_a_costlier_training_form_gets_a_column() -> None:
    assert "in training" not in cells.cost_columns(FIVE)
    dear = replace(CAM, gflops_training=99.0)
    show = cells.cost_columns(replace(FIVE, variants=(FIVE.variants[0], dear)))["in training"]
    assert [show(each) for each in (dear, replace(CAM, gflops_training=None))] == ["99.00", "0.55"]


def test_a_controls_p_is_its_own_and_in_brackets() -> None:
    assert cells.holm_p(PLACEBO.judgement) == "(0.422)"
    assert cells.holm_p(judgement(p_holm=0.0304)) == "0.030"
    assert cells.holm_p(judgement(seeds=(0, 1))) == "-"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        # 0.995 is stored a little below itself
        ({"wins": 4, "probability_interval": (0.284, 0.995)}, "4 of 5 (.28-.99)"),
        ({"wins": 3, "ties": 1, "probability_interval": (0.1, 1.0)}, "3 of 5, 1 tied (.10-1.00)"),
    ],
)
def test_seeds_won(changes: dict[str, Any], text: str) -> None:
    assert cells.seeds_won(judgement(**changes)) == text


def test_runs_without_a_partner_are_counted() -> None:
    assert cells.runs(replace(CAM, judgement=judgement(seeds=(0, 1, 2)))) == "5 (3 paired)"
    assert cells.runs(CAM) == "5"


def test_what_is_not_judged_says_so_and_keeps_its_difference() -> None:
    alone = replace(CAM, judgement=None)
    assert cells.verdict(alone) == "not judged"
    assert cells.difference(alone) == "+1.73"
    assert cells.of_judgement(cells.seeds_won)(alone) == "-"
    assert cells.verdict(PLACEBO) == "control: cannot tell"


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
def test_rounding_never_hides_that_a_number_is_not_0(value: float, text: str) -> None:
    assert cells.points(value) == text
    assert cells.signed(value / 100) == text
    assert cells.size(value / 100, "±") == "±" + text.lstrip("+-")


def test_a_small_p_value_is_not_shown_as_0() -> None:
    assert [cells.p_text(p) for p in (0.00049, 0.0504, None)] == ["<0.001", "0.050", "-"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (95.4, "95 s"),
        (618, "10.3 min"),
        (12_240, "3.4 h"),
        (71.9 * 3600, "71.9 h"),
        (84 * 3600, "3.5 days"),
    ],
)
def test_a_time_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert cells.duration(seconds) == text
