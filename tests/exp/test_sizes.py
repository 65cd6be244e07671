from importlib import import_module

import pytest

from yolox_attn.exp import AttentionExp
from yolox_attn.exp.sizes import SIZES

# What only ours has, and what ours decides otherwise on purpose.
OURS = vars(AttentionExp()).keys() - vars(import_module("yolox.exp").Exp()).keys()
DECIDED = OURS | {"exp_name", "save_history_ckpt", "data_num_workers"}


@pytest.mark.parametrize("size", [size for size in SIZES if size != "demo"])
def test_a_size_is_yoloxs_own_default_experiment(size: str) -> None:
    stock = import_module(f"yolox.exp.default.yolox_{size}").Exp()
    ours, theirs = (
        {k: v for k, v in vars(exp).items() if k not in DECIDED} for exp in (SIZES[size](), stock)
    )
    assert ours == theirs


def test_nano_alone_is_depthwise() -> None:
    assert [size for size, exp in SIZES.items() if exp().depthwise and size != "demo"] == ["nano"]
    stock = import_module("yolox.exp.default.yolox_nano").Exp()
    keys = [list(exp.get_model().state_dict()) for exp in (SIZES["nano"](), stock)]
    assert keys[0] == keys[1]
