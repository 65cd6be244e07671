"""Checkpoints judged and timed; tests/cli/test_eval.py shows what the command prints and writes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from yolox.evaluators import COCOEvaluator as StockCOCOEvaluator

from yolox_attn.errors import InputError
from yolox_attn.exp.evaluation import Conditions, evaluate_checkpoint, time_forward

CPU = Conditions(torch.device("cpu"))


@pytest.fixture
def checkpoint(tiny: Callable, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "fresh.pth"
    torch.save({"model": tiny(attention="eca").get_model().state_dict()}, path)
    return path


def test_metrics_and_detections_are_those_of_the_checkpoint(
    tiny: Callable, checkpoint: Path
) -> None:
    torch.manual_seed(1)  # the network starts elsewhere
    found = evaluate_checkpoint(tiny(attention="eca", test_conf=1e-4), checkpoint, CPU)
    assert found.metrics["AP"] is not None
    assert len(found.class_ap) == 5
    assert len(found.detections) > 0
    assert "per class AP" in found.summary
    again = evaluate_checkpoint(tiny(attention="eca", test_conf=1e-4), checkpoint, CPU)
    assert again.detections == found.detections


def test_of_a_users_own_evaluator_ap_and_summary_are_kept(tiny: Callable, checkpoint: Path) -> None:
    class Own(StockCOCOEvaluator):
        def evaluate(self, *_: object) -> tuple[float, float, str]:
            return 0.25, 0.5, "own words"

    exp = tiny(attention="eca")
    exp.get_evaluator = lambda *_, **__: Own(None, (64, 64), 0.1, 0.6, 5)
    found = evaluate_checkpoint(exp, checkpoint, CPU)
    assert (found.metrics, found.summary) == ({"AP": 0.25, "AP50": 0.5}, "own words")
    assert (found.class_ap, found.detections, found.timing) == ({}, [], {})
    with pytest.raises(InputError, match=r"--bf16 needs an evaluator of .*; this Exp's is Own"):
        evaluate_checkpoint(exp, checkpoint, Conditions(CPU.device, precision="bf16"))


def test_a_forward_pass_is_timed(tiny: Callable, checkpoint: Path) -> None:
    assert time_forward(tiny(attention="eca"), None, CPU).median_ms > 0
    fused = Conditions(CPU.device, fuse=True)
    assert time_forward(tiny(attention="eca"), checkpoint, fused).median_ms > 0
