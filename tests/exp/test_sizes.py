from importlib import import_module

import pytest

from yolox_attn.exp import AttentionExp
from yolox_attn.exp.sizes import SIZES

# What only ours has, and what ours decides otherwise on purpose.
OURS = vars(AttentionExp()).keys() - vars(import_module("yolox.exp").Exp()).keys()
DECIDED = OURS | {"exp_name", "save_history_ckpt", "data_num_workers"}


@pytest.mark.parametrize("size", [size for size in SIZES if size != "demo"])
def test_a_size_is_the_hosts_own_default_experiment(size: str) -> None:
    host = vars(import_module(f"yolox.exp.default.yolox_{size}").Exp())
    ours = vars(SIZES[size]())
    assert {k: v for k, v in ours.items() if k not in DECIDED} == {
        k: v for k, v in host.items() if k not in DECIDED
    }


def test_nano_is_depthwise() -> None:
    assert [size for size, exp in SIZES.items() if exp().depthwise and size != "demo"] == ["nano"]
