"""When it is time to save, and that the checkpoint before the latest is kept."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from yolox_attn.core import read_checkpoint
from yolox_attn.core.state import Saver


@pytest.mark.parametrize(("steps", "due"), [(None, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4]), (9, [])])
def test_every_so_many_steps(steps: int | None, due: list[int]) -> None:
    saver = Saver(None, steps=steps, minutes=None)
    assert [done for done in range(1, 6) if saver.due(done)] == due


def test_every_so_many_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    saver = Saver(SimpleNamespace(rank=1), steps=None, minutes=0.5)
    assert not saver.due(1)
    now[0] += 29
    assert not saver.due(2)
    now[0] += 1
    assert saver.due(3)
    saver.latest((0, 3), [])  # nothing is written by another rank than 0
    assert not saver.due(4)


def test_the_latest_before_the_last_is_kept(whole: Path) -> None:
    done = {
        name: read_checkpoint(whole / f"{name}_ckpt.pth")["start_epoch"]
        for name in ("previous", "latest", "last_mosaic_epoch")
    }
    assert done == {"previous": 3, "latest": 4, "last_mosaic_epoch": 2}


def test_a_checkpoint_says_how_far_it_is_in_its_epoch(tiny: Callable, train: Callable) -> None:
    folder = train(tiny(max_epoch=1), save_steps=2).folder
    state = read_checkpoint(folder / "previous_ckpt.pth")
    assert (state["start_epoch"], state["start_iter"]) == (0, 2)
