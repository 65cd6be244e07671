from dataclasses import replace

from judged_comparison import judged_comparison

from yolox_attn.report.details import exploratory

FIVE = judged_comparison(5)


def test_it_is_marked_and_adjusted_and_rare_classes_get_a_difference_alone() -> None:
    section = exploratory(FIVE)
    text, absolute, figures, classes, rare = section.parts
    assert "exploratory" in section.title
    assert text.startswith("Exploratory: where a difference might lie, never whether there is one.")
    assert "Benjamini and Hochberg" in text
    assert absolute.headers == ["variant", "AP", "AP50", "AP75", "APs", "APm", "APl"]
    assert figures.headers[:2] == ["figure", "yolox_nano_cam"]
    assert figures.rows[0][1] == "+1.73 (+1.41 to +2.06), p <0.001"
    assert classes.rows[0][:2] == ["platelets", "120"]
    assert classes.rows[2][:3] == ["white cell", "12", "+1.73"]
    assert rare == "A class on fewer than 30 images has no interval and no p value."


def test_figures_that_the_data_do_not_have_are_left_out() -> None:
    variants = [replace(each, mean={**each.mean, "APs": None}) for each in FIVE.variants]
    _, absolute, *_ = exploratory(replace(FIVE, variants=tuple(variants))).parts
    assert absolute.headers == ["variant", "AP", "AP50", "AP75", "APm", "APl"]


def test_nothing_judged_nothing_explored() -> None:
    variants = [replace(each, judgement=None) for each in FIVE.variants]
    assert not exploratory(replace(FIVE, variants=tuple(variants))).parts
