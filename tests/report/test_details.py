from dataclasses import replace

from judged_comparison import judged_comparison

from yolox_attn.report import details
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.stats.paired_tests import Pairing

FIVE = judged_comparison(5)
CAM = FIVE.variants[1]


def only(*variants: Variant) -> Comparison:
    return replace(FIVE, variants=(FIVE.variants[0], *variants))


def test_controls_say_what_they_are_for_and_what_came_out() -> None:
    (bullets,) = details.controls(FIVE).parts
    purpose, result = bullets.items
    assert purpose.startswith("The placebo scales channels")
    assert result == "yolox_nano_placebo: cannot tell, -0.22 AP, 95 % interval -0.89 to +0.45."
    assert not details.controls(only(CAM)).parts


def test_a_plain_control_gets_its_own_purpose() -> None:
    plain = replace(CAM, role="control", attention="plain", built=(), judgement=None)
    (bullets,) = details.controls(only(plain)).parts
    purpose, result = bullets.items
    assert purpose.startswith("A plain block has as many parameters")
    assert result == "yolox_nano_cam: not judged."


def test_one_seed_has_no_p_value_and_no_bootstrap_and_a_sign_flip_needs_six() -> None:
    grid, _ = details.secondary(judged_comparison(1)).parts
    assert grid.headers == ["variant", "seeds won", "these very checkpoints 95 %"]
    grid, _ = details.secondary(judged_comparison(6)).parts
    assert "sign-flip p" in grid.headers
    grid, _ = details.secondary(FIVE).parts
    assert "sign-flip p" not in grid.headers
    assert grid.rows[0] == [
        "yolox_nano_cam",
        "<0.001",
        "1.000",
        "5 of 5 (.48-1.00)",
        "+1.44 to +1.99",
        "+1.55 to +1.91",
        "+0.81 (-0.25 to +0.99)",
        "76 %",
    ]


def test_what_was_built_and_what_the_optimiser_does_not_have() -> None:
    part = replace(CAM.built[0], options={"ratio": 8, "norm": True})
    odd = replace(CAM, built=(part, CAM.built[1]), optimised=905_000)
    totals, levels, warning = details.built(only(odd)).parts
    assert totals.rows[1] == ["yolox_nano_cam", "cam", "906,000", "906,000", "905,000"]
    assert levels.rows == [
        ["yolox_nano_cam", "dark3", "cam", "ratio 8, norm True", "2,000"],
        ["yolox_nano_cam", "dark4", "cam", "its defaults", "2,000"],
    ]
    assert warning.startswith("yolox_nano_cam: 1,000 trainable parameters are not in the optimiser")
    assert len(details.built(only(CAM)).parts) == 2
    assert len(details.built(only()).parts) == 1


def test_external_detections_have_nothing_built() -> None:
    bare = replace(CAM, attention="", parameters=None, trainable=None, optimised=None, built=())
    assert not details.built(replace(FIVE, variants=(bare,))).parts


def test_cost_is_the_mean_time_and_the_largest_memory() -> None:
    grid, _ = details.cost(FIVE).parts
    assert grid.rows[1] == ["yolox_nano_cam", "10.4 min", "1.41 GiB"]
    bare = [replace(run, seconds=None, peak_memory=None) for run in CAM.runs]
    unknown = replace(FIVE, variants=(replace(CAM, runs=tuple(bare)),))
    assert not details.cost(unknown).parts


def test_it_is_marked_and_adjusted_and_rare_classes_get_a_difference_alone() -> None:
    section = details.exploratory(FIVE)
    text, absolute, metrics, classes, rare = section.parts
    assert "exploratory" in section.title
    assert text.startswith("Exploratory: where a difference might lie, never whether there is one.")
    assert "Benjamini and Hochberg" in text
    assert absolute.headers == ["variant", "AP", "AP50", "AP75", "APs", "APm", "APl"]
    assert metrics.headers[:2] == ["metric", "yolox_nano_cam"]
    assert metrics.rows[0][1] == "+1.73 (+1.38 to +2.09), p <0.001"
    assert metrics.rows[0][1].value == CAM.judgement.exploratory[0].difference
    assert classes.headers[:3] == ["class", "images", "yolox_nano_cam"]
    assert classes.rows[0][:2] == ["platelets", "120"]
    assert classes.rows[2][:3] == ["white cell", "12", "+1.73"]
    assert rare == "A class on fewer than 30 images has no interval and no p value."


def test_metrics_that_the_data_do_not_have_are_left_out() -> None:
    found = tuple(replace(each, difference=None) for each in CAM.judgement.exploratory)
    bare = replace(CAM, judgement=replace(CAM.judgement, exploratory=found))
    variants = [replace(each, mean={**each.mean, "APs": None}) for each in only(bare).variants]
    _, absolute, metrics, *_ = details.exploratory(replace(FIVE, variants=tuple(variants))).parts
    assert absolute.headers == ["variant", "AP", "AP50", "AP75", "APm", "APl"]
    assert metrics.rows[0] == ["AP50", "-"]


def test_nothing_judged_nothing_explored() -> None:
    bare = only(replace(CAM, judgement=None))
    assert not details.exploratory(bare).parts
    assert not details.secondary(bare).parts


def test_what_pairing_brought_stands_beside_the_differences() -> None:
    found = replace(CAM.judgement, pairing=Pairing(0.62, (-0.1, 0.91), 0.37))
    lost = replace(CAM.judgement, pairing=Pairing(-0.2, (-0.8, 0.6), -0.1))
    for judged, cells in (
        (found, ["+0.62 (-0.10 to +0.91)", "37 %"]),
        (lost, ["-0.20 (-0.80 to +0.60)", "nothing"]),
    ):
        table, text = details.secondary(only(replace(CAM, judgement=judged))).parts
        assert table.rows[0][-2:] == cells
        assert "Correlation: of both sides" in text
    table, text = details.secondary(judged_comparison(3)).parts
    assert "correlation" not in table.headers
    assert "orrelation" not in text
