import math

import pytest
import torch

from yolox_attn.core.checkpoint import name_not_finite


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_the_first_tensor_that_is_not_finite_is_named(bad: float, dtype: torch.dtype) -> None:
    state = {
        "model": {"a": torch.ones(3, dtype=dtype)},
        "optimizer": {"state": [{"m": torch.zeros(2, 2, dtype=dtype)}, (torch.zeros(1),)]},
    }
    assert name_not_finite(state) is None
    state["optimizer"]["state"][0]["m"][1, 0] = bad
    assert name_not_finite(state) == "optimizer.state.0.m"


def test_large_numbers_empty_tensors_and_plain_values_pass() -> None:
    state = {"a": torch.full((2,), 3e38), "b": torch.empty(0), "c": "x", "d": None, "e": 1}
    assert name_not_finite(state | {"counter": torch.tensor(2**40)}) is None
    assert name_not_finite({}) is None
    assert name_not_finite({"x": 1.0}) is None
