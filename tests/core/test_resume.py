import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from yolox_attn.core.checkpoint import read_checkpoint, save_checkpoint
from yolox_attn.core.describe import describe_config
from yolox_attn.core.resume import check_resume, describe_environment
from yolox_attn.errors import InputError
from yolox_attn.runs.protocol import resume_protocol

PATH = Path("latest_ckpt.pth")
DATA = {"dir": "d", "train_ann": "t", "val_ann": "v", "train_images": 12, "val_images": 5}
DATA |= {"train_sha256": "a" * 64, "val_sha256": "b" * 64}
ENVIRONMENT = {"torch": "2.9", "threads": 1, "deterministic": True}


@pytest.fixture
def protocol(tiny: Callable) -> Callable[..., dict[str, Any]]:
    """Return a function that describes a run of the tiny experiment."""

    def describe(**settings: Any) -> dict[str, Any]:
        facts = {"seed": 0, "batch_size": settings.pop("batch_size", 8)}
        return resume_protocol(describe_config(tiny(**settings)), DATA, facts)

    return describe


def check(before: dict[str, Any], now: dict[str, Any], **changes: Any) -> bool:
    insist = changes.pop("insist", False)
    state = {"protocol": before, "environment": ENVIRONMENT}
    return check_resume(state, now, ENVIRONMENT | changes, path=PATH, insist=insist)


def test_the_same_run_goes_on_exactly(protocol: Callable, warnings: list[str]) -> None:
    assert check(protocol(), protocol())
    assert not warnings


def test_another_run_is_refused_with_every_difference(
    protocol: Callable, warnings: list[str]
) -> None:
    other = protocol(batch_size=16, attention="cam", colour="red")
    says = "attention none -> cam; batch_size 8 -> 16; colour absent -> red"
    with pytest.raises(InputError) as caught:
        check(protocol(), other)
    assert f"{PATH} is of another run: {says}; give" in str(caught.value)
    assert check(protocol(), other, insist=True) is False
    assert says in warnings[0]


def test_another_machine_goes_on_but_not_exactly(protocol: Callable, warnings: list[str]) -> None:
    assert check(protocol(), protocol(), threads=4) is False
    assert "not to the same last bits: threads 1 -> 4" in warnings[0]


def test_another_gpu_of_the_same_kind_is_no_other_machine(
    protocol: Callable, warnings: list[str]
) -> None:
    """Older checkpoints say which of them it was."""
    for saved in ("cuda NVIDIA H100", "cuda:1 NVIDIA H100"):
        state = {"protocol": protocol(), "environment": ENVIRONMENT | {"device": saved}}
        here = ENVIRONMENT | {"device": "cuda NVIDIA H100"}
        assert check_resume(state, protocol(), here, path=PATH, insist=False)
        here["device"] = "cuda NVIDIA A100"
        assert check_resume(state, protocol(), here, path=PATH, insist=False) is False
        assert "device cuda NVIDIA H100 -> cuda NVIDIA A100" in warnings.pop()


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
    assert environment["cpu"]
