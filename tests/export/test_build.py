"""What is compared, on which pictures, and what counts as a fault."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from yolox_attn.coco.annotations import read_truth
from yolox_attn.exp.evaluation import evaluate_checkpoint
from yolox_attn.export.build import (
    CPU,
    Difference,
    Exported,
    at_two_sizes,
    dataset_images,
    difference,
    drawn_images,
    measured_ap,
)
from yolox_attn.export.openvino import require_openvino
from yolox_attn.export.parity import Departure, Parity

NEAR, FAR = Departure(1e-5, 1e-7), Departure(1.0, 1e-7)
EQUAL = Parity(2, ((64, 64),), NEAR, NEAR, 0, 0, NEAR)
MADE = Exported(
    "a.onnx", 20, EQUAL, None, None, Difference(5, 40.0, 40.0, (0.0, 0.0)), real_images=True
)


def test_pictures_are_the_validation_split_s_as_the_network_gets_them(tiny: Callable) -> None:
    exp = tiny()
    images = dataset_images(exp, 3)
    loader = exp.get_evaluator(3, is_distributed=False).dataloader
    assert torch.equal(images, next(iter(loader))[0].float())
    assert len(dataset_images(exp, 99)) == 5


def test_without_data_they_are_drawn_alike_each_time(tiny: Callable) -> None:
    exp = tiny(test_size=(64, 96))
    images = drawn_images(exp, 2)
    assert images.shape == (2, 3, 64, 96)
    assert torch.equal(images, drawn_images(exp, 2))
    assert images.std() > 10


def test_two_sizes_and_two_batches() -> None:
    batches = at_two_sizes(torch.rand(10, 3, 64, 32))
    assert [tuple(each.shape) for each in batches] == [
        (8, 3, 64, 32),
        (2, 3, 64, 32),
        (2, 3, 96, 32),
    ]
    assert torch.equal(batches[2][:, :, :64], batches[0][:2])
    assert (batches[2][:, :, 64:] == 114).all()


def test_ap_is_what_eval_says_and_its_difference_has_an_interval(
    tiny: Callable, train: Callable, drawn: Path
) -> None:
    exp = tiny(test_conf=0.0, max_epoch=6)
    folder = Path(train(exp).file_name)
    truth = read_truth(drawn / "annotations/instances_val2017.json")
    early, late = (
        measured_ap(exp, folder / name, truth) for name in ("best_ckpt.pth", "latest_ckpt.pth")
    )
    expected = evaluate_checkpoint(exp, folder / "best_ckpt.pth", CPU).metrics["AP"]
    assert early.metrics["AP"] == pytest.approx(100 * expected, abs=1e-9)
    same = difference(truth, early, early)
    assert same is not None
    assert (same.points, same.interval, same.images) == (0, (0, 0), 5)
    worse = replace(
        late,
        metrics={"AP": early.metrics["AP"] - 1},
        left_out={"AP": early.left_out["AP"] - [0.5, 1, 1.5, 1, 1]},
    )
    found = difference(truth, early, worse)
    assert found is not None
    assert found.points == pytest.approx(-1)
    assert found.interval[0] < -1 < found.interval[1]
    assert sum(found.interval) / 2 == pytest.approx(-1)


def test_images_without_objects_have_no_difference(
    tiny: Callable, train: Callable, drawn: Path, tmp_path: Path
) -> None:
    exp = tiny(test_conf=0.0)
    folder = Path(train(exp).file_name)
    content = json.loads((drawn / "annotations/instances_val2017.json").read_text())
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps(content | {"annotations": []}))
    truth = read_truth(empty)
    nothing = measured_ap(exp, folder / "latest_ckpt.pth", truth)
    assert difference(truth, nothing, nothing) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"ap": None}, None),
        ({"nms": (1, 100)}, None),
        ({"nms": (2, 100)}, "the NMS inside it keeps other boxes than YOLOX's"),
        ({"parity": None}, None),
        ({"parity": None, "ap": None}, "nothing could be compared"),
        ({"parity": replace(EQUAL, tied_images=2), "ap": None}, "nothing could be compared"),
        ({"parity": replace(EQUAL, tied_images=2)}, None),
        (
            {"parity": replace(EQUAL, allowed=Departure(float("inf"), 1))},
            "its outputs depart from the network's",
        ),
        ({"parity": replace(EQUAL, exported=FAR)}, "its outputs depart from the network's"),
        (
            {"parity": replace(EQUAL, exported=FAR), "node": "conv2d_7"},
            "its outputs depart from the network's; first at conv2d_7",
        ),
        ({"ap": Difference(5, 40.0, 39.6, (-1.0, 0.2))}, None),
        (
            {"ap": Difference(5, 40.0, 39.4, (-1.0, 0.2))},
            "it loses 0.60 AP, more than 0.5",
        ),
    ],
)
def test_faults(change: dict, fault: str | None) -> None:
    assert replace(MADE, **change).fault == fault


def test_openvino_is_asked_for_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yolox_attn.export.openvino.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="--format openvino needs openvino; fix it with: "):
        require_openvino()
