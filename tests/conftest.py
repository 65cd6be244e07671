"""What tests of several folders share: a small drawn set and an experiment that trains on it."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from loguru import logger

from yolox_attn.core import AttentionTrainer
from yolox_attn.data.drawn import drawn_set
from yolox_attn.exp import AttentionExp, use_data

SHARED = Path(__file__).resolve().parents[2] / "shared"  # real sets and weights, where they are


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real sets and weights next to the checkout; skip where there is none."""
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED}")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that an earlier session has made decides a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOLOX_ATTN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn set of 12 training and 5 validation images, 96 pixels."""
    return drawn_set(tmp_path_factory.mktemp("drawn"), train_images=12, val_images=5, size=96)


class TinyExp(AttentionExp):
    """The smallest detector with every part: three epochs of three steps, no workers."""

    def __init__(self) -> None:
        super().__init__()
        self.exp_name = "tiny"
        self.depth, self.width, self.depthwise = 0.33, 0.125, True
        self.input_size = self.test_size = (64, 64)
        self.random_size = (1, 3)
        self.max_epoch, self.warmup_epochs, self.no_aug_epochs = 3, 1, 1
        self.eval_interval, self.data_num_workers = 2, 0
        self.seed = 0


@pytest.fixture
def tiny(drawn: Path, tmp_path: Path) -> Callable[..., TinyExp]:
    """Return a function that makes the tiny experiment with settings of your choice."""

    def make(**settings: Any) -> TinyExp:
        exp = TinyExp()
        use_data(exp, drawn)
        exp.output_dir = str(tmp_path)
        for key, value in settings.items():
            setattr(exp, key, value)
        if exp.max_epoch <= exp.warmup_epochs + exp.no_aug_epochs:  # too short for either
            exp.warmup_epochs = exp.no_aug_epochs = 0
        return exp

    return make


@pytest.fixture
def train() -> Callable[..., AttentionTrainer]:
    """Return a function that trains an experiment, with command line values of choice."""

    def run(exp: AttentionExp, **changes: Any) -> AttentionTrainer:
        trainer = exp.get_trainer(_args(**changes))
        trainer.train()
        return trainer

    return run


@pytest.fixture
def train_args() -> Callable[..., Namespace]:
    """Return a function that makes what the command line gives a trainer."""
    return _args


def _args(**changes: Any) -> Namespace:
    args: dict[str, Any] = {
        "experiment_name": "tiny", "batch_size": 4, "device": "cpu", "fp16": False, "bf16": False,
        "resume": False, "ckpt": None, "start_epoch": None, "cache": False, "occupy": False,
        "logger": "tensorboard", "opts": [], "exp_file": None, "name": None,
        "overwrite": False,
    }  # fmt: skip
    return Namespace(**(args | changes))


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """What is warned about meanwhile, as it is logged."""
    heard: list[str] = []
    sink = logger.add(lambda message: heard.append(message.record["message"]), level="WARNING")
    yield heard
    logger.remove(sink)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Bit-equal comparisons need one count of threads, and two runners must not fight."""
    torch.set_num_threads(1)
