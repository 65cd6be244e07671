import os

import pytest
import torch

from yolox_attn import device as devices
from yolox_attn.errors import InputError

HAS_CUDA = torch.cuda.is_available()


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "", "cuda:-1", "mps:0"])
def test_unknown_names_are_refused_with_the_choices(name: str) -> None:
    with pytest.raises(InputError, match="auto, cpu, cuda, cuda:N or mps"):
        devices.pick_device(name)


@pytest.mark.parametrize(
    "name", ["cuda:99", pytest.param("cuda", marks=pytest.mark.skipif(HAS_CUDA, reason="has one"))]
)
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"--device {name}: torch sees .* CUDA devices here"):
        devices.pick_device(name)


def test_cpu_is_always_there() -> None:
    assert devices.pick_device("cpu") == torch.device("cpu")
    assert devices.pick_device("auto").type in ("cpu", "cuda", "mps")


def test_precisions() -> None:
    cpu = torch.device("cpu")
    assert devices.precision_dtype("fp32", cpu) is None
    assert devices.precision_dtype("bf16", cpu) is torch.bfloat16
    with pytest.raises(InputError, match="--fp16 needs a CUDA device, this is cpu; use --bf16"):
        devices.precision_dtype("fp16", cpu)


def test_autocast_follows_the_type() -> None:
    x = torch.ones(2, 2)
    cpu = torch.device("cpu")
    with devices.autocast(cpu, torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
    with devices.autocast(cpu, None):
        assert (x @ x).dtype == torch.float32


def test_threads_are_fixed_by_the_environment_or_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert devices.fix_threads() == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= devices.fix_threads() <= (os.cpu_count() or 1)


def test_memory_can_be_reserved_on_cuda_only() -> None:
    with pytest.raises(InputError, match="-o reserves CUDA memory, this is cpu"):
        devices.occupy(torch.device("cpu"))
