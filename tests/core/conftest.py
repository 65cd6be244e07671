"""A run that several tests compare with."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Mosaic is off from the third epoch; three steps an epoch, of two batches each.
LONG: dict[str, Any] = {
    "attention": "eca", "max_epoch": 4, "eval_interval": 1, "enable_mixup": True
}  # fmt: skip
FLAGS = {"batch_size": 2, "accumulate": 2}


@pytest.fixture(scope="session")
def trained() -> list[Path]:
    """Where the run of `whole` is, once it was trained."""
    return []


@pytest.fixture
def long(tiny: Callable, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that makes the experiment of `whole`, to be run in tmp_path."""
    return lambda **settings: tiny(**LONG | settings)


@pytest.fixture
def whole(
    tiny: Callable, train: Callable, tmp_path_factory: pytest.TempPathFactory, trained: list[Path]
) -> Path:
    """The folder of a run of four epochs without interruption; it must stay as it is."""
    if not trained:
        exp = tiny(output_dir=str(tmp_path_factory.mktemp("whole")), **LONG)
        trained.append(train(exp, **FLAGS).folder)
    return trained[0]


@pytest.fixture
def again(whole: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, where its experiment would go on."""
    return Path(shutil.copytree(whole, tmp_path / "tiny"))
