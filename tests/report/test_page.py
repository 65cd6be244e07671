from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.page import blocks, headline, kind_of, shown, sort_values, verdict_lines


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
        (5, "No verdict on yolox_nano_placebo against yolox_nano"),  # a control is no result
    ],
)
def test_the_headline_of_one_variant_is_its_verdict(place: int, text: str) -> None:
    judged = judged_comparison()
    pair = (judged.variants[0], judged.variants[place])
    assert headline(replace(judged, variants=pair)) == text


def test_a_baseline_alone_begins_with_its_noise() -> None:
    judged = judged_comparison()
    alone = replace(judged, variants=judged.variants[:1], dropped=())
    assert headline(alone) == "yolox_nano scatters by 0.45 AP from seed to seed"
    assert [block.anchor for block in shown(blocks(alone), {})][:2] == ["floor", "results"]


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


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["41.64 ± 0.45", "-", ""], [41.64, None, None]),
        (["-2.05", "+1.73", "0.00"], [-2.05, 1.73, 0.0]),
        (["<0.001", "0.001", "(0.413)"], [0.001 - 1e-9, 0.001, 0.413]),
        (["1,234,567", "999"], [1234567.0, 999.0]),
        (["95 s", "10.0 min", "3.0 h"], [95.0, 600.0, 10800.0]),
        (["±0.12", "unknown"], [0.12, None]),
        (["4 of 5 (.28-.99)", "10 of 10 (.69-1.00)"], [4.0, 10.0]),
        (["+0.31 to +1.20", "-0.87 to +0.43"], [0.31, -0.87]),
        (["yolox_s", "3"], [None, None]),
        ([".28"], [0.28]),
    ],
)
def test_a_column_sorts_by_its_numbers_if_all_cells_are_some(
    cells: list[str], values: list[float | None]
) -> None:
    assert sort_values(cells) == values


def test_a_cell_looks_like_its_verdict() -> None:
    assert [kind_of(cell) for cell in ("helps", "control: cannot tell", "baseline")] == [
        "helps",
        "open",
        None,
    ]


def test_missing_runs_stand_before_any_table_and_empty_sections_nowhere() -> None:
    judged = judged_comparison()
    found = [block.anchor for block in shown(blocks(judged), {})]
    assert found[:2] == ["missing", "results"]
    assert "latency" not in found
    assert "latency" in [block.anchor for block in shown(blocks(judged), {"latency": "<svg/>"})]
    bare = [block.anchor for block in shown(blocks(replace(judged, dropped=())), {})]
    assert bare[0] == "results"
