"""Every experiment file of the repository, built and stepped once."""

from pathlib import Path

import pytest
import torch

from yolox_attn.exp import load_exp

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "exps").rglob("*.py"))


def test_there_is_a_baseline_and_seven_variants_of_each_size() -> None:
    names = {file.stem for file in FILES}
    for size in ("s", "nano", "demo"):
        blocks = ("cam", "se", "eca", "cbam", "acmix", "drconv", "attnconv")
        assert {f"yolox_{size}", *(f"yolox_{size}_{block}" for block in blocks)} <= names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_has_its_block_builds_and_steps(file: Path) -> None:
    exp = load_exp(str(file))
    assert exp.exp_name == file.stem
    last = file.stem.split("_")[-1]
    assert exp.attention == ("none" if last in ("s", "nano", "demo") else last)
    exp.check()
    model, optimizer = exp.get_model(), exp.get_optimizer(8)
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    labels = torch.tensor([[[0.0, 30, 30, 24, 20]]] * 2)
    loss = model(torch.rand(2, 3, 64, 64) * 255, labels)["total_loss"]
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    assert all(p.grad is not None and p.isfinite().all() for p in model.parameters())
