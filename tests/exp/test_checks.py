"""Settings that cannot work; the corpus of bad inputs shows what the command makes of them."""

from typing import Any

import pytest

from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, NanoExp, load_exp
from yolox_attn.exp.checks import check_types
from yolox_attn.exp.sizes import SIZES


@pytest.mark.parametrize("size", SIZES)
def test_the_published_sizes_pass(size: str) -> None:
    load_exp(name=f"yolox-{size}").check()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("num_classes", 0, "num_classes 0: at least 1"),
        ("num_classes", "3", "num_classes '3': at least 1"),
        ("seed", 2**63, "seed 9223372036854775808: from 0 to"),
        ("seed", "0", "seed '0': from 0"),
        ("width", 0.01, r"width 0\.01: from 1/64"),
        ("random_size", (1,), r"random_size \(1,\): smallest and largest"),
        ("random_size", (3, 2), "smallest and largest"),
        ("input_size", (64, 100), r"input_size \(64, 100\): .*multiples of 32"),
        ("test_size", (416, 0), "test_size .*multiples of 32"),
    ],
)
def test_a_setting_that_cannot_work_is_named(key: str, value: Any, says: str) -> None:
    exp = NanoExp()
    setattr(exp, key, value)
    with pytest.raises(InputError, match=says):
        exp.check()


def test_settings_have_the_types_of_their_defaults() -> None:
    exp = NanoExp()
    check_types(exp, AttentionExp())
    exp.input_size, exp.depth, exp.attention = [416, 416], 1, print  # a list, a whole number
    check_types(exp, AttentionExp())
    exp.momentum = "0.9"
    with pytest.raises(InputError, match=r"momentum '0\.9': needs a number, like 0\.9"):
        check_types(exp, AttentionExp())


def test_a_range_of_sizes_must_stay_above_zero() -> None:
    exp = NanoExp()
    del exp.random_size
    exp.multiscale_range = 12
    exp.check()
    exp.multiscale_range = 13
    with pytest.raises(InputError, match=r"multiscale_range 13: 0 to 12 with input_size \(416"):
        exp.check()


def test_who_builds_a_part_alone_may_use_names_of_their_own() -> None:
    class Own(NanoExp):
        def get_model(self) -> Any: ...

        def get_lr_scheduler(self, lr: float, iters_per_epoch: int) -> Any: ...

    exp = Own()
    exp.act, exp.scheduler = "gelu", "linear"
    exp.check()
