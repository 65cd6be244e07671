"""Randomness as a value: one seed for a run, and side streams derived from it by name.

Three streams are global: python's `random`, numpy's (YOLOX's colour jitter draws from it) and
torch's on the CPU.
"""

import hashlib
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import get_worker_info


def derive(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed that depends on `seed` and `names` alone, the same on every machine."""
    text = "/".join(map(str, [seed, *names]))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_everything(seed: int) -> None:
    """Seed `random`, numpy's global stream and torch, its accelerators included."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)


@contextmanager
def stream(seed: int, *names: str | int) -> Iterator[None]:
    """Let the block draw from a side stream; afterwards the global streams are as they were.

    What the block draws is a function of `seed` and `names`. Accelerators' generators are left
    alone: seeding them costs more than an image.
    """
    value = derive(seed, *names)
    python, tensors = random.getstate(), torch.default_generator.get_state()
    arrays = np.random.get_state(legacy=False)  # noqa: NPY002
    random.seed(value)
    np.random.seed([value & 0xFFFFFFFF, value >> 32])  # noqa: NPY002 - it takes 32 bits a word
    torch.default_generator.manual_seed(value)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)  # noqa: NPY002
        torch.default_generator.set_state(tensors)


def random_states() -> dict[str, Any]:
    """Return the states of the global streams, in types that a checkpoint may hold."""
    version, words, gauss = random.getstate()
    arrays = np.random.get_state(legacy=False)  # noqa: NPY002
    return {
        "python": {"version": version, "words": torch.tensor(words), "gauss": gauss},
        "numpy": {
            "words": torch.from_numpy(arrays["state"]["key"].astype(np.int64)),
            "position": int(arrays["state"]["pos"]),
            "has_gauss": int(arrays["has_gauss"]),
            "gauss": float(arrays["gauss"]),
        },
        "torch": torch.default_generator.get_state(),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Put the global streams back to what `random_states` returned."""
    python, arrays = states["python"], states["numpy"]
    random.setstate((python["version"], tuple(python["words"].tolist()), python["gauss"]))
    words = arrays["words"].cpu().numpy().astype(np.uint32)
    np.random.set_state(  # noqa: NPY002
        ("MT19937", words, arrays["position"], arrays["has_gauss"], arrays["gauss"])
    )
    torch.default_generator.set_state(states["torch"].cpu())


def seed_worker(worker_id: int) -> None:
    """Seed a loading worker from the seed torch gave it (YOLOX draws a UUID here).

    Ctrl-C reaches every process of the group; a worker goes on until its run has saved.
    """
    import cv2

    cv2.setNumThreads(0)  # a worker is one thread; OpenCV's pool would starve the training step
    if get_worker_info() is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    seed_everything(torch.initial_seed())
