"""What ranks exchange: alone, and in three processes joined by gloo."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from yolox_attn.core.distributed import (
    any_rank,
    average_norm,
    gather_objects,
    on_rank_zero,
    sum_over_ranks,
)
from yolox_attn.errors import InputError

EQUAL = torch.arange(1, 100) / 7  # in float32, (x + x + x) / 3 differs from some of these


def refuse() -> None:
    raise InputError(f"seen by rank {dist.get_rank() if dist.is_initialized() else 0}")


def test_alone_everything_is_as_it_was() -> None:
    norm = nn.BatchNorm2d(2)
    norm.running_mean.fill_(3)  # type: ignore[union-attr, operator]
    average_norm(norm)
    assert norm.running_mean.tolist() == [3, 3]  # type: ignore[union-attr]
    assert any_rank(True, False) == (True, False)
    assert gather_objects("a") == ["a"]
    assert sum_over_ranks({"a": 0.5}) == {"a": 0.5}
    assert on_rank_zero(lambda: 7) == 7
    with pytest.raises(InputError, match="seen by rank 0"):
        on_rank_zero(refuse)


def talk(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=3)
    raw, ema = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), nn.BatchNorm1d(99)
    weight = raw[0].weight.detach().clone()
    raw[1].running_var.copy_(torch.tensor([1.0, 2, 3, 4]) + 2 * rank)
    ema.running_mean.copy_(EQUAL)
    average_norm(raw, ema, nn.BatchNorm2d(3, track_running_stats=False))
    heard: dict[str, Any] = {
        "var": raw[1].running_var.tolist(),
        "same": torch.equal(ema.running_mean, EQUAL),
        "untouched": torch.equal(raw[0].weight, weight),
        "any": any_rank(rank == 1, False, True),
        "gathered": gather_objects({"rank": rank}),
        "summed": sum_over_ranks({"b": 0.5, "a": float(rank)}),
        "zero": on_rank_zero(lambda: f"drawn by {rank}"),
    }
    try:
        on_rank_zero(refuse)
    except InputError as error:
        heard["refused"], heard["already_reported"] = str(error), error.already_reported
    torch.save(heard, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of three ranks heard."""
    folder = tmp_path_factory.mktemp("ranks")
    mp.start_processes(talk, args=(folder,), nprocs=3, start_method="fork")
    return [torch.load(folder / f"{rank}.pt") for rank in range(3)]


def test_norm_statistics_are_the_mean_and_nothing_else_changes(heard: list[dict[str, Any]]) -> None:
    for each in heard:
        assert each["var"] == [3, 4, 5, 6]
        assert each["same"], "equal statistics must stay as they are, bit for bit"
        assert each["untouched"]


def test_a_flag_of_one_rank_reaches_all_and_values_reach_rank_zero(
    heard: list[dict[str, Any]],
) -> None:
    assert [each["any"] for each in heard] == [(True, False, True)] * 3
    assert [each["gathered"] for each in heard] == [[{"rank": 0}, {"rank": 1}, {"rank": 2}], [], []]
    assert [each["summed"] for each in heard] == [{"a": 3.0, "b": 1.5}] * 3


def test_what_rank_zero_finds_or_refuses_holds_for_all(heard: list[dict[str, Any]]) -> None:
    assert [each["zero"] for each in heard] == ["drawn by 0"] * 3
    assert [each["refused"] for each in heard] == ["seen by rank 0"] * 3
    assert [each["already_reported"] for each in heard] == [False, True, True]
