"""What a run's own numbers say against trusting them."""

import pytest

from yolox_attn.runs.remarks import curve_of, drop_in_words, rise_in_words, warmup_in_words


@pytest.mark.parametrize(
    ("curve", "says"),
    [
        ([(9, 0.008), (10, 0.367)], "still climbing when it ended: +35.9 AP in its last epoch"),
        ([(10, 0.30), (20, 0.40)], "still climbing when it ended: +10.0 AP in its last 10 epochs"),
        ([(10, 0.40), (20, 0.42)], ""),  # less than a twentieth
        ([(1, 0.01), (2, 0.014)], ""),  # less than half a point
        ([(1, 0.4), (2, 0.3)], ""),
        ([(3, 0.4)], ""),
        ([], ""),
    ],
)
def test_a_run_that_was_climbing_when_it_ended(curve: list[tuple[int, float]], says: str) -> None:
    assert rise_in_words(curve) == says


def test_the_curve_is_of_the_epochs_that_were_evaluated() -> None:
    rows = [{"epoch": 1}, {"epoch": 2, "AP": 0.1}, {"epoch": 3, "AP": None}]
    rows += [{"epoch": 4, "AP": "0.5"}, {"epoch": 5, "AP": 10**400}, {"epoch": 6, "AP": []}]
    assert curve_of(rows) == [(2, 0.1)]


def test_a_run_below_its_own_start() -> None:
    start = {"file": "x", "sha256": "y", "AP": 0.085}
    assert drop_in_words(0.031, start) == (
        "AP 3.1, below the 8.5 that its weights gave before training"
    )
    assert drop_in_words(0.085, start) == ""
    assert drop_in_words(None, start) == ""
    assert drop_in_words(0.031, {"file": "x", "sha256": "y"}) == ""
    assert drop_in_words(0.031, None) == ""


def test_a_warm_up_that_is_most_of_the_schedule() -> None:
    config = {"warmup_epochs": 5, "max_epoch": 8, "scheduler": "yoloxwarmcos"}
    assert warmup_in_words(config).startswith(
        "warm-up is 5 of 8 epochs, most of the schedule: train longer, or"
    )
    assert warmup_in_words({**config, "max_epoch": 10}) == ""
    assert warmup_in_words({**config, "scheduler": "cos"}) == ""  # it has none
    assert warmup_in_words({}) == ""
