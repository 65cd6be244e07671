import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from loguru import logger

from yolox_attn.core.checkpoint import read_checkpoint, save_checkpoint
from yolox_attn.core.resume import (
    check_resume,
    cpu_model,
    describe_environment,
    describe_protocol,
)
from yolox_attn.errors import InputError

PATH = Path("latest_ckpt.pth")
DATA = {"dir": "d", "train_ann": "t", "val_ann": "v", "train_images": 12, "val_images": 5}
DATA |= {"train_sha256": "a" * 64, "val_sha256": "b" * 64}
ENVIRONMENT = {"torch": "2.9", "threads": 1, "deterministic": True}


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    heard: list[str] = []
    sink = logger.add(lambda message: heard.append(message.record["message"]), level="WARNING")
    yield heard
    logger.remove(sink)


@pytest.fixture
def protocol(tiny: Callable) -> Callable[..., dict[str, Any]]:
    """Return a function that describes a run of the tiny experiment."""

    def describe(data: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        given: dict[str, Any] = {"seed": 0, "batch_size": 8, "accumulate": 1, "processes": 1}
        given |= {"precision": "fp32", "data": DATA | (data or {})}
        own = {key: changes.pop(key) for key in tuple(changes) if key in given}
        return describe_protocol(tiny(**changes), **(given | own))

    return describe


def check(before: dict[str, Any], now: dict[str, Any], **changes: Any) -> bool:
    insist = changes.pop("insist", False)
    state = {"protocol": before, "environment": ENVIRONMENT}
    return check_resume(state, now, ENVIRONMENT | changes, path=PATH, insist=insist)


def test_the_same_run_goes_on_exactly(protocol: Callable, warnings: list[str]) -> None:
    assert check(protocol(), protocol())
    assert not warnings


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batch_size": 16}, "batch_size 8 -> 16"),
        ({"seed": 1, "batch_size": 16}, "batch_size 8 -> 16; seed 0 -> 1"),
        ({"accumulate": 2}, "accumulate 1 -> 2"),
        ({"processes": 2}, "processes 1 -> 2"),
        ({"precision": "bf16"}, "precision fp32 -> bf16"),
        ({"max_epoch": 5}, "max_epoch 3 -> 5"),
        ({"attention": "cam"}, "attention none -> cam"),
        ({"mosaic_prob": 0.5}, "mosaic_prob 1.0 -> 0.5"),
        ({"channels_last": False}, "channels_last True -> False"),
        ({"colour": "red"}, "colour absent -> red"),
        ({"data": {"train_sha256": "c" * 64}}, "train_sha256 aaaaaaaaaaaa -> cccccccccccc"),
    ],
)
def test_another_run_is_refused_with_every_difference(
    protocol: Callable, warnings: list[str], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError) as caught:
        check(protocol(), protocol(**changes))
    assert f"{PATH} is of another run: {says}; give" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert check(protocol(), protocol(**changes), insist=True) is False
    assert says in warnings[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"data_num_workers": 2, "print_interval": 1, "output_dir": "elsewhere"},
        {"data": {"dir": "moved", "train_ann": "renamed"}, "data_dir": "moved"},
    ],
)
def test_what_changes_no_number_may_change(protocol: Callable, changes: dict[str, Any]) -> None:
    assert check(protocol(), protocol(**changes))


def test_another_machine_goes_on_but_not_exactly(protocol: Callable, warnings: list[str]) -> None:
    assert check(protocol(), protocol(), threads=4) is False
    assert "not to the same last bits: threads 1 -> 4" in warnings[0]


def test_a_device_that_is_not_deterministic_is_not_exact(protocol: Callable) -> None:
    here = ENVIRONMENT | {"deterministic": False}
    state = {"protocol": protocol(), "environment": here}
    assert check_resume(state, protocol(), here, path=PATH, insist=False) is False


def test_a_stock_run_goes_on_and_says_not_exactly(protocol: Callable, warnings: list[str]) -> None:
    assert check_resume({}, protocol(), ENVIRONMENT, path=PATH, insist=False) is False
    assert "from a stock run" in warnings[0]


def test_both_descriptions_survive_a_checkpoint(protocol: Callable, tmp_path: Path) -> None:
    environment = describe_environment(torch.device("cpu"), threads=1)
    assert environment == json.loads(json.dumps(environment))
    state = {"model": {}, "protocol": protocol(), "environment": environment}
    save_checkpoint(state, tmp_path / "x.pth")
    read = read_checkpoint(tmp_path / "x.pth")
    assert check_resume(read, protocol(), environment, path=PATH, insist=False)


def test_the_environment_names_what_decides_the_last_bits() -> None:
    environment = describe_environment(torch.device("cpu"), threads=3)
    assert environment["threads"] == 3
    assert environment["torch"] == str(torch.__version__)
    assert environment["deterministic"] is True
    assert cpu_model() == environment["cpu"] != ""
