from pathlib import Path

import numpy as np
import pytest
from judged_runs import IMAGES, VIDEOS, draw_truth

from yolox_attn.coco.annotations import truth_from
from yolox_attn.errors import InputError
from yolox_attn.stats.bootstrap import image_weights
from yolox_attn.stats.measured import draw_resamples
from yolox_attn.stats.verdict import Terms

TERMS = Terms(replicates=120, seed=4)


def test_one_seed_one_draw() -> None:
    drawn = draw_resamples(truth_from(draw_truth()), TERMS)
    expected = image_weights(np.random.default_rng(4), IMAGES, 120)
    assert np.array_equal(drawn.weights, expected)
    assert (drawn.units, drawn.groups, drawn.test_set.images) == (IMAGES, None, IMAGES)


def test_images_of_a_group_are_drawn_together(tmp_path: Path) -> None:
    content = draw_truth()
    by_key = draw_resamples(truth_from(content), TERMS, "video")
    of_first = [k for k, image in enumerate(content["images"]) if image["video"] == 1]
    assert (by_key.weights[:, of_first] == by_key.weights[:, of_first[:1]]).all()
    assert (by_key.units, by_key.groups) == (VIDEOS, f"{VIDEOS} groups by video")
    assert by_key.test_set.images == VIDEOS  # the freedom of the interval is that of the groups
    listed = tmp_path / "g.csv"
    rows = [f"{image['id']},{image['video']}" for image in content["images"]]
    listed.write_text("\n".join(["image,group", *rows]))
    by_csv = draw_resamples(truth_from(content), TERMS, str(listed))
    assert np.array_equal(by_csv.weights, by_key.weights)
    assert by_csv.groups == f"{VIDEOS} groups by g.csv"


def test_groups_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"cannot read gone\.csv"):
        draw_resamples(truth_from(draw_truth()), TERMS, "gone.csv")
