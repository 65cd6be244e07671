from dataclasses import fields

import numpy as np
import pytest
from resampled_sets import random_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import Matches, best_matcher, judge, match


def test_the_judge_is_pycocotools():
    assert type(judge().index()).__module__ == "pycocotools.coco"


@pytest.mark.parametrize("seed", range(40))
def test_the_fast_matcher_finds_the_same_to_the_last_bit(seed):
    pytest.importorskip("ultrafast_pycocotools")
    assert best_matcher().name == "ultrafast-pycocotools"
    truth, detections = random_set(seed)
    checked = truth_from(truth)
    fast = match(checked, detections, matcher=best_matcher())
    slow = match(checked, detections, matcher=judge())
    for each in fields(Matches):
        assert np.array_equal(getattr(fast, each.name), getattr(slow, each.name)), each.name
