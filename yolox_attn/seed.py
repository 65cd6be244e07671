"""Randomness as a value: one seed for a run, and side streams derived from it by name."""

import hashlib
import random

import numpy as np
import torch


def derive(seed: int, *names: str) -> int:
    """Return a 63-bit seed that depends on `seed` and `names` alone, the same on every machine."""
    text = "/".join([str(seed), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_everything(seed: int) -> None:
    """Seed `random`, numpy's global stream (the host's colour jitter draws from it) and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)


def seed_worker(worker_id: int) -> None:
    """Seed a loading worker from the seed torch gave it; the host draws a UUID here."""
    import cv2

    cv2.setNumThreads(0)  # a worker is one thread; OpenCV's pool would starve the training step
    seed_everything(torch.initial_seed())
