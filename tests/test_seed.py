import random

import numpy as np
import torch

from yolox_attn.seed import derive, seed_everything, seed_worker


def test_derived_seeds_are_fixed_for_ever() -> None:
    assert derive(0, "attention", "dark3") == 6389829493552465873
    assert derive(1, "a") == derive(1, "a")
    assert len({derive(s, n) for s in range(9) for n in ("dark3", "dark4", "dark5")}) == 27
    assert derive(2**62, "x") < 2**63


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def test_one_seed_fixes_all_three_streams() -> None:
    seed_everything(3)
    first = draws()
    seed_everything(3)
    assert draws() == first
    seed_everything(4)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_a_worker_follows_torchs_seed() -> None:
    torch.manual_seed(11)
    seed_worker(0)
    first = draws()
    torch.manual_seed(11)
    seed_worker(0)
    assert draws() == first
