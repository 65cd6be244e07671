import copy
import json
import tempfile

import pytest
import torch
from loguru import logger
from planted import PlantedModel, PlantedSet, box, evaluator_of, truth_of
from pycocotools.cocoeval import COCOeval
from torch.utils.data import DataLoader
from yolox.evaluators import COCOEvaluator as StockCOCOEvaluator

from yolox_attn.coco.evaluate import METRICS
from yolox_attn.errors import InputError
from yolox_attn.evaluators import COCOEvaluator, adapt_evaluator

WHOLE = box(10, 10, 40, 50)  # 2000 pixels: "medium" to COCO
PART = box(10, 10, 40, 36)  # inside WHOLE: IoU 0.72
AWAY = box(52, 0, 10, 8)


def test_half_the_objects_found_exactly_is_51_of_101_recall_points():
    coco = truth_of([(1, 1, WHOLE), (2, 1, WHOLE)], images=(1, 2))
    evaluator = evaluator_of(COCOEvaluator, coco)
    ap, ap50, summary = evaluator.evaluate(PlantedModel([[(0, 0.9, WHOLE)], []]))
    assert ap == ap50 == pytest.approx(51 / 101)
    assert evaluator.metrics["AR100"] == pytest.approx(0.5)
    assert evaluator.class_ap == {"class1": pytest.approx(51 / 101)}
    assert "Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all" in summary


def test_an_overlap_of_072_counts_at_five_of_ten_thresholds():
    coco = truth_of([(1, 1, WHOLE)], images=(1,))
    evaluator = evaluator_of(COCOEvaluator, coco)
    ap, ap50, _ = evaluator.evaluate(PlantedModel([[(0, 0.9, PART)]]))
    assert (ap, ap50) == (pytest.approx(0.5), pytest.approx(1.0))
    assert tuple(evaluator.metrics) == METRICS
    assert evaluator.metrics["AP75"] == 0
    assert evaluator.metrics["APm"] == pytest.approx(0.5)
    assert evaluator.metrics["APs"] is None  # no small object to find
    assert evaluator.metrics["ARl"] is None


def test_a_surer_false_alarm_halves_precision_and_classes_are_kept_apart():
    coco = truth_of([(1, 3, WHOLE), (1, 7, AWAY)], images=(1,), categories=(7, 3, 9))
    evaluator = evaluator_of(COCOEvaluator, coco, num_classes=3)
    answers = [(0, 0.9, AWAY), (0, 0.6, WHOLE), (1, 0.8, AWAY)]
    ap, _, _ = evaluator.evaluate(PlantedModel([answers], classes=3))
    assert evaluator.class_ap == {
        "class3": pytest.approx(0.5),
        "class7": pytest.approx(1.0),
        "class9": None,
    }
    assert ap == pytest.approx(0.75)


def random_case(images=12, per_image=6):
    generator = torch.Generator().manual_seed(0)
    categories, objects, answers = (2, 5, 40), [], []
    for image in range(1, images + 1):
        corners = torch.rand(per_image, 4, generator=generator) * 28 + 2
        shifts = torch.randn(per_image, 4, generator=generator)
        labels = torch.randint(0, 3, (per_image,), generator=generator).tolist()
        scores = torch.rand(per_image, generator=generator).tolist()
        objects += [
            (image, categories[k], c.tolist()) for k, c in zip(labels, corners, strict=True)
        ]
        answers.append(list(zip(labels, scores, (corners + shifts).tolist(), strict=True)))
    coco = truth_of(objects, images=range(1, images + 1), categories=categories)
    return coco, PlantedModel(answers, classes=3)


def test_metrics_are_those_of_pycocotools_on_the_kept_detections(tmp_path):
    coco, model = random_case()
    evaluator = evaluator_of(COCOEvaluator, coco, num_classes=3, batch_size=5)
    ap, ap50, _ = evaluator.evaluate(model)
    assert type(ap) is type(ap50) is float  # torch refuses to load a numpy one of a checkpoint
    assert {type(v) for v in evaluator.metrics.values()} <= {float, type(None)}
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(evaluator.detections))  # so they are plain numbers
    coco.dataset["info"] = {}
    by_hand = COCOeval(coco, coco.loadRes(str(path)), "bbox")
    by_hand.evaluate()
    by_hand.accumulate()
    by_hand.summarize()
    assert 0.1 < by_hand.stats[0] < 0.9
    assert list(evaluator.metrics.values()) == [s if s > -1 else None for s in by_hand.stats]
    for k, ap in enumerate(evaluator.class_ap.values()):
        assert ap == by_hand.eval["precision"][:, :, k, 0, -1].mean()


def test_boxes_are_in_pixels_of_the_original_image():
    coco = truth_of([(1, 1, box(20, 40, 60, 80))], images=(1,), size=(256, 128))  # shrunk by 4
    evaluator = evaluator_of(COCOEvaluator, coco)
    evaluator.evaluate(PlantedModel([[(0, 0.5, box(5, 10, 15, 20))]]))
    assert evaluator.detections == [
        {"image_id": 1, "category_id": 1, "bbox": [20, 40, 60, 80], "score": 0.5}
    ]
    assert evaluator.metrics["AP"] == pytest.approx(1)


def test_no_detection_is_zero_and_the_summary_says_so():
    coco = truth_of([(1, 1, WHOLE)], images=(1,))
    evaluator = evaluator_of(COCOEvaluator, coco, confidence=0.5)
    ap, ap50, summary = evaluator.evaluate(PlantedModel([[(0, 0.4, WHOLE)]]))
    assert (ap, ap50, evaluator.detections) == (0, 0, [])
    assert (evaluator.metrics["AP"], evaluator.metrics["APs"]) == (0, None)
    assert "no detections at confidence 0.5" in summary


def test_a_set_without_annotations_defines_no_metric():
    coco = truth_of([], images=(1,))
    del coco.dataset["annotations"]
    evaluator = evaluator_of(COCOEvaluator, coco, testdev=True)
    ap, _, summary = evaluator.evaluate(PlantedModel([[(0, 0.4, WHOLE)]]))
    assert ap == 0
    assert set(evaluator.metrics.values()) == {None}
    assert len(evaluator.detections) == 1
    assert "no annotations" in summary


def test_an_annotation_numbered_0_is_found_like_any_other_and_stays_as_it_is():
    coco = truth_of([(1, 1, WHOLE)], images=(1,), first_id=0)
    before = copy.deepcopy(coco.dataset)
    evaluator = evaluator_of(COCOEvaluator, coco)
    assert evaluator.evaluate(PlantedModel([[(0, 0.9, WHOLE)]]))[0] == pytest.approx(1)
    assert coco.dataset == before  # COCOeval writes into what it is given


def test_a_class_that_the_set_lacks_is_named():
    coco = truth_of([(1, 1, WHOLE)], images=(1,), categories=(1, 2))
    evaluator = evaluator_of(COCOEvaluator, coco, num_classes=3)
    with pytest.raises(InputError, match=r"class 2 .*num_classes is 3.* 2 categories"):
        evaluator.evaluate(PlantedModel([[(2, 0.9, WHOLE)]], classes=3))


def test_the_model_keeps_its_mode_and_its_weights_in_mixed_precision_too():
    coco = truth_of([(1, 1, WHOLE)], images=(1,))
    model = PlantedModel([[(0, 0.9, WHOLE)]]).train()
    evaluator = evaluator_of(COCOEvaluator, coco)
    for evaluator.autocast_dtype in (None, torch.bfloat16):
        evaluator.evaluate(model)
    assert model.modes == [(False, False), (False, True)]
    assert model.training
    assert model.table.dtype is torch.float32
    with pytest.raises(InputError, match="fp16 needs a CUDA device"):
        evaluator.evaluate(model, half=True)


def test_tensorrt_is_refused_by_name():
    evaluator = evaluator_of(COCOEvaluator, truth_of([], images=(1,)))
    with pytest.raises(InputError, match="trt_file"):
        evaluator.evaluate(PlantedModel([[]]), trt_file="model_trt.pth")


def test_images_that_the_loader_left_out_are_warned_of():
    coco = truth_of([(1, 1, WHOLE), (2, 1, WHOLE), (3, 1, WHOLE)], images=(1, 2, 3))
    evaluator = evaluator_of(COCOEvaluator, coco)
    evaluator.dataloader = DataLoader(PlantedSet(coco), batch_size=2, drop_last=True)
    lines = []
    sink = logger.add(lines.append, level="WARNING")
    try:
        evaluator.evaluate(PlantedModel([[(0, 0.9, WHOLE)]] * 3))
    finally:
        logger.remove(sink)
    assert "left out 1 of the set's 3 images" in "".join(lines)


def test_no_file_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    coco = truth_of([(1, 1, WHOLE)], images=(1,))
    evaluator = evaluator_of(COCOEvaluator, coco, testdev=True)
    evaluator.evaluate(PlantedModel([[(0, 0.9, WHOLE)]]))
    assert list(tmp_path.iterdir()) == []


def test_class_tables_where_asked_for():
    coco = truth_of([(1, 1, WHOLE)], images=(1,))
    model = PlantedModel([[(0, 0.9, WHOLE)]])
    evaluator = evaluator_of(COCOEvaluator, coco, per_class_AP=True, per_class_AR=True)
    summary = evaluator.evaluate(model)[2]
    assert "per class AP:\n| class" in summary
    assert "per class AR:\n| class" in summary
    assert "per class" not in evaluator_of(COCOEvaluator, coco).evaluate(model)[2]


def test_a_stock_evaluator_becomes_ours_with_its_attributes():
    coco = truth_of([(1, 1, WHOLE)], images=(1,))
    stock = evaluator_of(StockCOCOEvaluator, coco, per_class_AP=True)
    stock.note = "set by the user"
    ours = adapt_evaluator(stock)
    assert type(ours) is COCOEvaluator
    assert vars(stock).items() <= vars(ours).items()
    assert ours.evaluate(PlantedModel([[(0, 0.9, WHOLE)]]))[0] == pytest.approx(1)


def test_ours_and_the_users_own_stay_themselves():
    class Own(StockCOCOEvaluator):
        pass

    coco = truth_of([(1, 1, WHOLE)], images=(1,))
    for cls in (COCOEvaluator, Own):
        evaluator = evaluator_of(cls, coco)
        assert adapt_evaluator(evaluator) is evaluator


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("half", [False, True])
def test_the_same_metrics_on_a_gpu(half):
    coco, model = random_case()
    on_cpu = evaluator_of(COCOEvaluator, coco, num_classes=3)
    on_gpu = evaluator_of(COCOEvaluator, coco, num_classes=3)
    on_cpu.evaluate(model)
    on_gpu.evaluate(model.to("cuda"), half=half)
    assert on_gpu.metrics == on_cpu.metrics
