import os
import platform
from collections.abc import Iterator

import pytest
import torch

from yolox_attn import device as devices
from yolox_attn.errors import InputError

CPU = torch.device("cpu")
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


@pytest.mark.parametrize(
    ("gpus", "mps", "processes", "chosen"),
    [(2, True, 1, "cuda:0"), (0, True, 1, "mps"), (0, True, 2, "cpu"), (0, False, 1, "cpu")],
)
def test_auto_is_the_best_that_this_process_can_have(
    gpus: int, mps: bool, processes: int, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    assert devices.pick_device("auto") == torch.device(chosen)
    assert devices.pick_device("cpu") == CPU


def test_precisions() -> None:
    assert devices.precision_dtype("fp32", CPU) is None
    assert devices.precision_dtype("bf16", CPU) is torch.bfloat16
    with pytest.raises(InputError, match="--fp16 needs a CUDA device, this is cpu; use --bf16"):
        devices.precision_dtype("fp16", CPU)


def test_autocast_follows_the_type() -> None:
    x = torch.ones(2, 2)
    for dtype, result in ((torch.bfloat16, torch.bfloat16), (None, torch.float32)):
        with devices.autocast(CPU, dtype):
            assert (x @ x).dtype == result


def test_threads_are_fixed_by_the_environment_or_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert devices.fix_threads() == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= devices.fix_threads() <= (os.cpu_count() or 1)


def test_where_there_is_no_cuda_nothing_is_reserved_and_it_is_said() -> None:
    assert devices.occupy(CPU) == "-o reserves CUDA memory: nothing to reserve on cpu"


def test_a_record_names_the_kind_of_device_and_not_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert devices.describe(CPU) == f"cpu {platform.machine()}"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    names = {devices.describe(torch.device("cuda", number)) for number in (0, 1)}
    assert names == {"cuda NVIDIA H200"}


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")


@pytest.mark.usefixtures("two_gpus", "second_of_two")
@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_of_several_processes_each_takes_its_own_gpu(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert devices.pick_device(name) == torch.device("cuda", 1)
    assert devices.pick_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match="torch sees 2 CUDA devices here, process 2"):
        devices.pick_device(name)


@pytest.mark.usefixtures("second_of_two")
def test_several_processes_share_no_device() -> None:
    with pytest.raises(InputError, match="--device cuda:0 is one device"):
        devices.pick_device("cuda:0")
    with pytest.raises(InputError, match="--device mps is one device"):
        devices.pick_device("mps")


def test_processes_beyond_the_gpus_are_refused(two_gpus: None) -> None:
    devices.check_processes("cuda:1", 1)
    devices.check_processes("auto", 2)
    devices.check_processes("cpu", 3)
    for name in ("auto", "cuda"):
        with pytest.raises(InputError, match=r"-d 3: torch sees 2 CUDA devices here.*; -d 2"):
            devices.check_processes(name, 3)
    with pytest.raises(InputError, match="--device cuda:1 is one device"):
        devices.check_processes("cuda:1", 2)


@pytest.fixture
def torch_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back what `set_determinism` changes."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    yield
    cudnn.benchmark, cudnn.deterministic = before
    torch.use_deterministic_algorithms(mode=False)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


@pytest.mark.usefixtures("torch_settings")
def test_the_search_for_fast_convolutions_is_never_on_with_determinism() -> None:
    cuda, cudnn = torch.device("cuda", 0), torch.backends.cudnn
    assert devices.set_determinism(wanted=False, device=cuda) is None
    assert (cudnn.benchmark, torch.are_deterministic_algorithms_enabled()) == (True, False)
    assert "--deterministic: " in str(devices.set_determinism(wanted=True, device=cuda))
    assert (cudnn.benchmark, torch.are_deterministic_algorithms_enabled()) == (False, True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


@pytest.mark.usefixtures("torch_settings")
def test_a_cpu_repeats_by_itself() -> None:
    torch.backends.cudnn.benchmark = False
    for wanted in (True, False):
        assert devices.set_determinism(wanted=wanted, device=CPU) is None
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark


def test_a_cpu_has_no_random_state_of_its_own() -> None:
    assert devices.random_state(CPU) is None
    before = torch.get_rng_state()
    devices.restore_random_state(CPU, torch.zeros(16, dtype=torch.uint8))  # saved on a GPU
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_CUDA, reason="no CUDA device")
def test_the_random_state_of_a_gpu_comes_back() -> None:
    gpu = torch.device("cuda", 0)
    state = devices.random_state(gpu)
    first = torch.rand(4, device=gpu)
    devices.restore_random_state(gpu, state)
    assert torch.equal(torch.rand(4, device=gpu), first)


def test_memory_that_ran_out_is_known_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 62, dtype=torch.uint8)
    assert devices.out_of_memory(caught.value)
    assert devices.out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert devices.out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert devices.out_of_memory(MemoryError())
    assert not devices.out_of_memory(RuntimeError("shapes do not fit"))
    assert not devices.out_of_memory(OSError("Cannot allocate memory"))


@pytest.mark.usefixtures("two_gpus")
def test_runs_in_parallel_share_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.devices_for_runs("auto") == ("cuda:0", "cuda:1")
    assert devices.devices_for_runs("cuda") == ("cuda:0", "cuda:1")
    assert devices.devices_for_runs("cuda:1") == ("cuda:1",)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert devices.devices_for_runs("auto") == ("auto",)
    with pytest.raises(InputError, match="unknown device"):
        devices.devices_for_runs("gpu")
