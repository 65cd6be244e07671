import psutil
import pytest
import torch
from planned import make_plan

from yolox_attn import device as devices
from yolox_attn.errors import InputError
from yolox_attn.study.plan import Training
from yolox_attn.study.scheduler import choose_slots


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yolox_attn.study.scheduler.usable_cores", lambda: 8)


@pytest.mark.parametrize(("threads", "runs"), [(1, 8), (3, 2), (16, 1)])
def test_on_a_cpu_every_run_has_its_cores(threads: int, runs: int) -> None:
    plan = make_plan(training=Training(data=None, threads=threads))
    assert choose_slots(plan, device="cpu") == ["cpu"] * runs


@pytest.mark.parametrize(("share", "runs"), [(0.4, 2), (0.9, 1), (3.0, 1), (0.001, 8)])
def test_on_a_cpu_every_run_has_its_memory(
    share: float, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    plan = make_plan(expected={"memory": int(share * memory.available)})
    assert choose_slots(plan, device="cpu") == ["cpu"] * runs


def test_what_is_asked_for_is_done() -> None:
    assert choose_slots(make_plan(), 3, "cpu") == ["cpu"] * 3
    with pytest.raises(InputError, match="--max-parallel 0: at least 1"):
        choose_slots(make_plan(), 0, "cpu")


def test_of_several_gpus_each_gets_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.devices_for_runs("auto") == ("cuda:0", "cuda:1")
    assert choose_slots(make_plan()) == ["cuda:0", "cuda:1"]
    assert choose_slots(make_plan(), 3, "cuda") == ["cuda:0", "cuda:1", "cuda:0"]
    assert choose_slots(make_plan(), device="cuda:1") == ["cuda:1"]
    assert choose_slots(make_plan(), device="cpu") == ["cpu"] * 8
