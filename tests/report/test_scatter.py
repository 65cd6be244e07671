from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import sections as scatter

FIVE = judged_comparison(5)
CAM = FIVE.variants[1]


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
    advice, grid, text = scatter.noise(FIVE).parts
    assert advice.startswith("Buy seeds: in 4 of 4 variants")
    assert grid.rows[0] == ["yolox_nano_cam", "±0.12", "±0.06", "train more seeds", "0.59"]
    assert text.endswith("(blocks: at the first Holm step of 4).")


def test_one_seed_has_no_detectable_effect() -> None:
    _, grid, text = scatter.noise(judged_comparison(1)).parts
    assert grid.headers == ["variant", "seeds give", "test images give", "to narrow it"]
    assert grid.rows[0][1] == "unknown"
    assert "etectable" not in text


def test_the_baselines_own_noise() -> None:
    (text,) = scatter.floor(FIVE).parts
    assert text.startswith("5 runs of yolox_nano scatter by 0.45 AP ")
    assert text.endswith("1.07 AP four times in five; to find 0.50 AP takes 14 seeds a side.")
    assert "5 seeds a side on 300 images find" in text
    noise = replace(FIVE.seed_noise, needed=None)
    (text,) = scatter.floor(replace(FIVE, seed_noise=noise)).parts
    assert text.endswith("; no affordable number of seeds finds 0.50 AP.")
    assert not scatter.floor(replace(FIVE, seed_noise=None)).parts
