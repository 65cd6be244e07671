import pytest
import torch
from planned import make_plan

from yolox_attn.errors import InputError
from yolox_attn.study.plan import Training
from yolox_attn.study.slots import choose_slots, runs_on_cpu, slowdown


@pytest.mark.parametrize(
    ("threads", "memory", "runs"),
    [(1, None, 8), (3, None, 2), (16, None, 1), (1, 300, 2), (1, 400, 1), (1, 3000, 1), (1, 1, 8)],
)
def test_on_a_cpu_every_run_has_its_cores_and_its_memory(
    threads: int, memory: int | None, runs: int
) -> None:
    training = Training(data=None, threads=threads)
    plan = make_plan(training=training, expected={"memory": memory})
    assert runs_on_cpu(plan, cores=8, memory=1000) == runs


def test_what_is_asked_for_is_done() -> None:
    assert choose_slots(make_plan(), 3, "cpu") == ["cpu"] * 3
    assert set(choose_slots(make_plan(), device="cpu")) == {"cpu"}
    with pytest.raises(InputError, match="--max-parallel 0: at least 1"):
        choose_slots(make_plan(), 0, "cpu")


def test_of_several_gpus_each_gets_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_slots(make_plan()) == ["cuda:0", "cuda:1"]
    assert choose_slots(make_plan(), 3, "cuda") == ["cuda:0", "cuda:1", "cuda:0"]
    assert choose_slots(make_plan(), device="cuda:1") == ["cuda:1"]


@pytest.mark.parametrize(
    ("slower", "runs"),
    [
        ({}, 4),  # not timed: as many as fit
        ({"4": 3.9}, 4),  # 1.03 times as much gets done
        ({"4": 4.1}, 1),
        ({"2": 1.1, "4": 2.3}, 2),  # 1.82 against 1.74
        ({"2": 1.1, "4": 2.1}, 4),
        ({"2": 1.9, "4": 3.8}, 4),
        ({"2": 1.1, "4": None}, 2),  # four failed
        ({"2": None}, 1),
        ({"2": 1.1, "8": 2.0}, 2),  # eight do not fit here, four were not timed
    ],
)
def test_as_many_runs_at_a_time_as_get_most_done(
    slower: dict[str, float | None], runs: int
) -> None:
    plan = make_plan(expected={"slowdown": slower})
    assert runs_on_cpu(plan, cores=4, memory=1000) == runs


def test_what_was_not_timed_takes_as_long_as_the_next_number_that_was() -> None:
    expected = {"slowdown": {"2": 1.25, "4": 1.5, "8": None}}
    assert [slowdown(expected, n) for n in (1, 2, 3, 4, 8)] == [1, 1.25, 1.5, 1.5, 1.5]
    assert slowdown({}, 2) == 1  # a plan of an older version
