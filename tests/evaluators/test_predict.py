import json
from dataclasses import replace

import pytest
import torch
import torch.multiprocessing as mp
from planted import SIDE, PlantedModel, PlantedSet, box, evaluator_of, truth_of
from torch import nn
from torch.utils.data import DataLoader
from yolox.utils import postprocess

from yolox_attn.coco.results import read_detections
from yolox_attn.errors import InputError
from yolox_attn.evaluators import COCOEvaluator
from yolox_attn.evaluators.predict import (
    Rules,
    Timing,
    collect,
    in_order,
    keep_best,
    model_device,
    predict,
    to_original,
    to_results,
)

RULES = Rules(image_size=(SIDE, SIDE), num_classes=2, confidence=0.25, nms_iou=0.5)
WHOLE = box(10, 10, 40, 50)


def outputs_of(*anchors):
    return torch.tensor([anchors])


def test_kept_rows_are_yoloxs_and_the_outputs_stay_as_they_are():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.rand(3, 50, 7, generator=generator)
    before = outputs.clone()
    kept = keep_best(outputs, RULES)
    assert torch.equal(outputs, before)
    stock = postprocess(before, 2, RULES.confidence, RULES.nms_iou)
    assert sum(len(rows) for rows in kept) > 10
    assert all(torch.equal(a, b) for a, b in zip(kept, stock, strict=True))


@pytest.mark.parametrize(("objectness", "kept"), [(0.9, 1), (0.1, 0)])
def test_exactly_one_anchor(objectness, kept):
    outputs = outputs_of([30.0, 30.0, 20.0, 10.0, objectness, 0.2, 0.5])
    (rows,) = keep_best(outputs, RULES)
    assert rows.shape == (kept, 7)
    if kept:
        assert rows[0].tolist() == pytest.approx([20, 25, 40, 35, 0.9, 0.5, 1])


def test_one_anchor_brings_no_second_at_confidence_0():
    everything = Rules(image_size=(SIDE, SIDE), num_classes=2, confidence=0, nms_iou=0.5)
    (rows,) = keep_best(outputs_of([30.0, 30.0, 20.0, 10.0, 0.0, 0.2, 0.5]), everything)
    assert len(rows) == 1


def test_outputs_that_are_no_numbers_are_an_error():
    good = [30.0, 30.0, 20.0, 10.0, 0.9, 0.2, 0.5]
    with pytest.raises(RuntimeError, match="non-finite outputs"):
        keep_best(outputs_of(good, [*good[:4], float("nan"), 0.2, 0.5]), RULES)


def test_infinite_boxes_of_a_young_network_are_dropped():
    good = [30.0, 30.0, 20.0, 10.0, 0.9, 0.2, 0.5]
    infinite = [30.0, 30.0, float("inf"), 10.0, 1.0, 0.2, 1.0]
    outputs = outputs_of(infinite, good)
    (rows,) = keep_best(outputs, RULES)
    assert rows[:, :4].tolist() == [pytest.approx([20, 25, 40, 35])]
    assert outputs[0, 0, 2] == float("inf")  # what was given stays as it is
    every = replace(RULES, confidence=0.0)
    assert len(keep_best(outputs, every)[0]) == 1


def loader_of(images, batch_size=2):
    return DataLoader(PlantedSet(truth_of([], images=images)), batch_size=batch_size)


@pytest.mark.parametrize(("images", "timed"), [(2, 2), (5, 3)])
def test_the_first_of_several_batches_is_not_timed(images, timed):
    model = PlantedModel([[(0, 0.9, WHOLE)]] * images, classes=2)
    rows, timing = predict(model, loader_of(range(images)), RULES)
    assert len(rows) == images
    assert timing.images == timed
    assert timing.as_dict()["forward_ms"] == pytest.approx(1000 * timing.forward / timed)
    assert timing.forward > 0
    assert timing.nms > 0


class CachingHead(nn.Module):
    """Keeps a tensor from its first call, as YOLOX's head keeps its grids."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 7, SIDE)
        self.modes = []

    def forward(self, images):
        self.modes.append(torch.is_grad_enabled())
        if not hasattr(self, "cached"):
            self.cached = images.new_ones(7)
        return (self.layer(images).flatten(2).transpose(1, 2) * self.cached).sigmoid()


def test_no_graph_is_built_and_the_model_can_be_trained_afterwards():
    model = CachingHead().to(memory_format=torch.channels_last)
    predict(model, loader_of(range(2)), RULES)
    model(torch.rand(1, 3, SIDE, SIDE)).sum().backward()
    assert model.modes == [False, True]
    assert model.layer.weight.grad is not None


UNREADABLE = "val2017/3.jpg: InputError: not an image"  # with the words of torch's wrapping


class OneUnreadable(PlantedSet):
    def __getitem__(self, index):
        if index == 2:
            raise InputError(UNREADABLE)
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_one_line_whichever_process_met_it(workers):
    loader = DataLoader(OneUnreadable(truth_of([], images=range(4))), num_workers=workers)
    with pytest.raises(InputError) as caught:
        predict(PlantedModel([[]] * 4, classes=2), loader, RULES)
    assert str(caught.value) == UNREADABLE


def test_a_decoder_is_applied():
    seen = []

    def decoder(outputs, dtype):
        seen.append(dtype)
        return outputs * torch.tensor([2.0, 2, 2, 2, 1, 1, 1])

    rules = Rules((SIDE, SIDE), 2, 0.25, 0.5, decoder=decoder)
    model = PlantedModel([[(0, 0.9, box(1, 2, 3, 4))]], classes=2)
    rows, _ = predict(model, loader_of((8,)), rules)
    assert rows[8][0, :4].tolist() == [2, 4, 8, 12]
    assert seen == ["torch.FloatTensor"]


def test_no_image_is_an_error_once_all_shares_are_together():
    rows, timing = predict(PlantedModel([[]]), [], RULES)  # as of a rank without a share
    assert timing.as_dict() == {"forward_ms": 0, "nms_ms": 0, "images": 0}
    with pytest.raises(InputError, match="no images"):
        in_order(rows, PlantedSet(truth_of([], images=())))


def test_images_come_in_the_order_of_the_set():
    rows = {image: torch.zeros(0, 7) for image in (3, 9, 1, 7)}
    images = PlantedSet(truth_of([], images=(1, 3, 7)))
    images.ids = [7, 1, 3]
    assert list(in_order(rows, images)) == [7, 1, 3, 9]
    images.ids = [("VOC2007", "a"), ("VOC2007", "b")]  # as in YOLOX's VOC set: ids are positions
    assert list(in_order(rows, images)) == [1, 3, 7, 9]


def test_the_device_is_the_models():
    assert model_device(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert model_device(nn.BatchNorm1d(2, affine=False, device="meta")) == torch.device("meta")
    assert model_device(nn.Identity()) == torch.device("cpu")


def test_images_that_two_ranks_saw_count_once(monkeypatch):
    first, second = torch.zeros(1, 7), torch.ones(1, 7)
    parts = [
        ({1: first, 2: first}, Timing(images=2, forward=1.0, nms=0.5)),
        ({3: second, 1: second}, Timing(images=2, forward=3.0, nms=0.5)),
    ]
    monkeypatch.setattr("yolox_attn.evaluators.predict.gather", lambda data, dst: parts)
    rows, timing = collect({}, Timing())
    assert sorted(rows) == [1, 2, 3]
    assert rows[1] is first
    assert timing == Timing(images=4, forward=4.0, nms=1.0)


ANSWERS = [[(0, 0.9, WHOLE)], [(0, 0.8, WHOLE)], [], [(0, 0.7, WHOLE), (0, 0.3, WHOLE)]]


def judge(images, *, rank=0, ranks=1):
    coco = truth_of([(image, 1, WHOLE) for image in images], images=images)
    evaluator = evaluator_of(COCOEvaluator, coco)
    dataset = evaluator.dataloader.dataset
    evaluator.dataloader = DataLoader(dataset, sampler=range(rank, len(dataset), ranks))
    result = evaluator.evaluate(PlantedModel(ANSWERS), distributed=ranks > 1)
    return result[:2], evaluator.detections


def judge_a_share(rank, ranks, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/group", rank=rank, world_size=ranks
    )
    many, one = judge((1, 2, 3, 4), rank=rank, ranks=ranks), judge((5,), rank=rank, ranks=ranks)
    torch.save((many, one), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_judge_as_one_also_where_one_has_no_image(tmp_path):
    mp.start_processes(judge_a_share, args=(2, tmp_path), nprocs=2, start_method="fork")
    many, one = torch.load(tmp_path / "0.pt")
    assert json.dumps(many) == json.dumps(judge((1, 2, 3, 4)))
    assert json.dumps(one) == json.dumps(judge((5,)))
    assert [d["image_id"] for d in many[1]] == [1, 2, 4]
    assert torch.load(tmp_path / "1.pt") == (((0.0, 0.0), []),) * 2


def test_a_box_beyond_all_bounds_stays_a_false_alarm_that_can_be_read(tmp_path):
    """As a network gives them that has hardly learnt: each was refused by what judges its run."""
    far = 3e38
    rows = torch.tensor(
        [
            [-far, 1.0, far, 5.0, 1.0, 0.9, 0.0],  # its width is no number in single precision
            [float("-inf"), 2.0, 3.0, float("nan"), 1.0, 0.8, 0.0],
            [10.0, 20.0, 30.5, 40.0, 1.0, 0.7, 0.0],
        ]
    )
    kept = to_original(rows, (64, 64), 128, 128)
    assert torch.equal(kept[2, :4], rows[2, :4] * 2)
    results = to_results({1: kept}, [1], 1)
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(results))
    assert read_detections(path) == results
    assert [each["score"] for each in results] == pytest.approx([0.9, 0.8, 0.7])
