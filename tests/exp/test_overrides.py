from types import SimpleNamespace
from typing import Any

import pytest

from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_epoch", "3", 3),
        ("ema", "False", False),
        ("enable_mixup", "0", False),
        ("basic_lr_per_img", "1e-4", 1e-4),
        ("input_size", "(320,320)", (320, 320)),
        ("test_size", "320, 416", (320, 416)),
        ("mosaic_scale", "0.5,1.5", (0.5, 1.5)),
        ("random_size", "(10, 20)", (10, 20)),
        ("data_dir", "7", "7"),
        ("seed", "42", 42),
        ("seed", "None", None),
        ("attention", "eca", "eca"),
        ("attention", "none", "none"),
        ("attention", "{'dark3': 'eca'}", {"dark3": "eca"}),
        ("attention_options", "{'b': 3}", {"b": 3}),
        ("attention_levels", "dark5", ("dark5",)),
        ("attention_levels", "(dark4,dark5)", ("dark4", "dark5")),
        ("act", "relu", "relu"),
        ("max_epoch", 4, 4),
    ],
)
def test_a_value_takes_the_type_of_the_setting(key: str, text: Any, value: Any) -> None:
    exp = AttentionExp()
    apply_overrides(exp, [key, text])
    assert getattr(exp, key) == value
    assert type(getattr(exp, key)) is type(value)


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (["max_epoc", "3"], "override 'max_epoc': no such setting; did you mean max_epoch"),
        (["qqqq", "3"], "override 'qqqq': no such setting; .*max_epoch"),
        (["max_epoch"], "'max_epoch' has no value"),
        (["max_epoch", "12.5"], "override max_epoch 12.5: needs int, like 300"),
        (["max_epoch", "1e2"], "needs int"),
        (["max_epoch", True], "needs int"),
        (["ema", "maybe"], "needs bool, like True"),
        (["basic_lr_per_img", "nan"], "needs float"),
        (["input_size", "320"], "needs tuple, like"),
        (["input_size", "(320,wide)"], "needs tuple, like"),
        (["input_size", "(320.5,320)"], "needs tuple, like"),
        (["attention_options", "[1]"], "needs dict"),
        (["seed", "abc"], "needs int"),
        (["act", 3], "needs str"),
        (["get_model", "3"], "no such setting"),
        (["model", "3"], "no such setting"),
    ],
)
def test_what_cannot_be_meant_is_refused(items: list[Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        apply_overrides(AttentionExp(), items)


def test_nothing_is_applied_when_one_is_refused() -> None:
    exp = AttentionExp()
    with pytest.raises(InputError):
        apply_overrides(exp, ["max_epoch", "3", "ema", "maybe"])
    assert exp.max_epoch == 300


def test_settings_of_the_logger_are_left_to_it() -> None:
    apply_overrides(SimpleNamespace(), ["wandb-project", "mine"])


def test_yoloxs_merge_is_strict_too() -> None:
    with pytest.raises(InputError, match="no such setting"):
        AttentionExp().merge(["maxepoch", "3"])
