import io
import random
import signal

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from yolox_attn.seed import (
    derive,
    random_states,
    restore_random_states,
    seed_everything,
    seed_worker,
    stream,
)


def test_derived_seeds_are_fixed_for_ever() -> None:
    assert derive(0, "attention", "dark3") == 6389829493552465873
    assert derive(1, "a") == derive(1, "a")
    assert len({derive(s, n) for s in range(9) for n in ("dark3", "dark4", "dark5")}) == 27
    assert derive(2**62, "x") < 2**63
    assert derive(5, "sample", 12) == derive(5, "sample", "12") != derive(5, "sample1", 2)


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


def test_a_stream_is_a_function_of_its_name_and_leaves_no_trace() -> None:
    seed_everything(3)
    first = draws()
    with stream(0, "sample", 7):
        inside = draws()
    second = draws()
    with stream(0, "sample", 7):
        assert draws() == inside
    with stream(0, "sample", 8):
        assert all(a != b for a, b in zip(draws(), inside, strict=True))
    seed_everything(3)
    assert (draws(), draws()) == (first, second)


def test_a_stream_is_left_by_an_error_too() -> None:
    seed_everything(3)
    expected = draws()
    seed_everything(3)
    with pytest.raises(KeyError), stream(0, "x"):
        draws()
        raise KeyError
    assert draws() == expected


def test_states_survive_a_file_read_without_trust() -> None:
    seed_everything(5)
    np.random.randn()  # noqa: NPY002 - leaves its second value waiting, a part of the state
    random.gauss(0, 1)
    file = io.BytesIO()
    torch.save(random_states(), file)
    expected = draws(), np.random.randn(), random.gauss(0, 1)  # noqa: NPY002
    seed_everything(6)
    file.seek(0)
    restore_random_states(torch.load(file, weights_only=True))
    assert (draws(), np.random.randn(), random.gauss(0, 1)) == expected  # noqa: NPY002


class InterruptHandlers:
    """A data set whose items show how the process that reads it takes Ctrl-C."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        return int(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)


def test_ctrl_c_leaves_the_workers_to_their_run() -> None:
    before = signal.getsignal(signal.SIGINT)
    seed_worker(0)  # in the run's own process nothing changes
    assert signal.getsignal(signal.SIGINT) is before
    loader = DataLoader(InterruptHandlers(), num_workers=1, worker_init_fn=seed_worker)
    assert next(iter(loader)).item() == 1
