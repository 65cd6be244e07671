import pytest
import torch
from planted import SIDE, PlantedModel, box
from torch.utils.data import DataLoader
from voc_folder import write_voc
from yolox.data import ValTransform, VOCDetection
from yolox.data.datasets.voc_classes import VOC_CLASSES
from yolox.evaluators import VOCEvaluator as StockVOCEvaluator

from yolox_attn.errors import InputError
from yolox_attn.evaluators import VOCEvaluator, adapt_evaluator

CLASSES = len(VOC_CLASSES)
DOG, CAT = VOC_CLASSES.index("dog"), VOC_CLASSES.index("cat")


@pytest.fixture
def two_dogs(tmp_path):
    write_voc(tmp_path, 2, SIDE, ("test",))
    return VOCDetection(
        str(tmp_path), [("2007", "test")], img_size=(SIDE, SIDE), preproc=ValTransform()
    )


def evaluator_of(cls, images, num_classes=CLASSES, batch_size=2):
    loader = DataLoader(images, batch_size=batch_size)
    return cls(loader, (SIDE, SIDE), 0.1, 0.65, num_classes)


def planted(*answers):
    return PlantedModel(answers, classes=CLASSES)


EXACT = box(10, 20, 39, 39)  # the dog, counted from 0


def test_found_dogs_are_one_class_of_twenty(two_dogs):
    evaluator = evaluator_of(VOCEvaluator, two_dogs)
    model = planted([(DOG, 0.9, EXACT)], [(DOG, 0.8, EXACT)])
    ap, ap50, summary = evaluator.evaluate(model)
    assert ap == ap50 == pytest.approx(1 / 20)
    assert (type(ap), type(ap50)) == (float, float)
    assert evaluator.metrics == {"AP": ap, "AP50": ap50}
    assert "AP for dog = 1.0000" in summary
    assert evaluator.detections[1] == {
        "image_id": 1,
        "category_id": DOG,
        "bbox": EXACT,
        "score": pytest.approx(0.8),
    }


def test_one_dog_of_two_reaches_six_of_eleven_recall_points(two_dogs):
    evaluator = evaluator_of(VOCEvaluator, two_dogs, batch_size=1)
    ap, ap50, _ = evaluator.evaluate(planted([(DOG, 0.9, EXACT)], [(CAT, 0.8, EXACT)]))
    assert ap == ap50 == pytest.approx(6 / 11 / 20)


def test_no_detection_is_zero_and_the_summary_says_so(two_dogs, capsys):
    ap, ap50, summary = evaluator_of(VOCEvaluator, two_dogs).evaluate(planted([], []))
    assert (ap, ap50) == (0, 0)
    assert "no detections at confidence 0.1" in summary
    assert capsys.readouterr().out == ""  # what the set prints stays off the terminal


def test_fewer_classes_than_the_set_judges_are_refused(two_dogs):
    with pytest.raises(InputError, match=r"num_classes is 3.* 20 VOC classes"):
        evaluator_of(VOCEvaluator, two_dogs, num_classes=3).evaluate(planted([], []))


def test_a_set_that_judges_itself_may_have_its_own_classes(two_dogs):
    class OwnJudge(VOCDetection):
        def evaluate_detections(self, all_boxes, output_dir=None):
            return float(len(all_boxes)), float("nan")

    two_dogs.__class__ = OwnJudge
    evaluator = evaluator_of(VOCEvaluator, two_dogs, num_classes=3)
    assert evaluator.evaluate(PlantedModel([[], []], classes=3))[:2] == (3.0, 0.0)
    assert evaluator.metrics == {"AP": 3.0, "AP50": None}


def test_an_image_that_was_left_out_is_an_error(two_dogs):
    evaluator = evaluator_of(VOCEvaluator, two_dogs)
    evaluator.dataloader = DataLoader(two_dogs, sampler=[1])
    with pytest.raises(InputError, match="left out 1 of 2 images, the first is number 0"):
        evaluator.evaluate(planted([], []))


def test_a_stock_evaluator_becomes_ours_and_keeps_mode_and_precision(two_dogs):
    stock = evaluator_of(StockVOCEvaluator, two_dogs)
    ours = adapt_evaluator(stock)
    assert type(ours) is VOCEvaluator
    assert vars(stock).items() <= vars(ours).items()
    ours.autocast_dtype = torch.bfloat16
    model = planted([], []).train()
    ours.evaluate(model)
    assert model.training
    assert model.modes == [(False, True)]
