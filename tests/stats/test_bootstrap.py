import numpy as np
import pytest
from scipy import stats

from yolox_attn.coco.annotations import truth_from
from yolox_attn.errors import InputError
from yolox_attn.stats.bootstrap import (
    crossed_interval,
    crossed_replicates,
    image_groups,
    image_weights,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def truth_of(*images):
    return truth_from({"images": list(images), "categories": [{"id": 1}], "annotations": []})


def test_each_resample_draws_as_many_images_as_there_are():
    weights = image_weights(rng(), 40, 500)
    assert weights.shape == (500, 40)
    assert (weights.sum(axis=1) == 40).all()


def test_weights_are_multinomial():
    """One image's weight is binomial(40, 1/40); two images' correlation is -1/39."""
    weights = image_weights(rng(), 40, 20_000)
    counts = np.bincount(weights[:, 0], minlength=6)[:6]
    expected = stats.binom.pmf(np.arange(6), 40, 1 / 40) * 20_000
    assert np.abs(counts - expected).max() < 4.5 * np.sqrt(expected.max())
    assert np.corrcoef(weights[:, 3], weights[:, 8])[0, 1] == pytest.approx(-1 / 39, abs=0.025)


def test_same_rng_same_weights():
    assert np.array_equal(image_weights(rng(3), 9, 7), image_weights(rng(3), 9, 7))
    assert not np.array_equal(image_weights(rng(3), 9, 7), image_weights(rng(4), 9, 7))


def test_images_of_a_group_are_drawn_together():
    groups = np.array([0, 1, 0, 2, 1, 1])
    weights = image_weights(rng(), 6, 300, groups)
    for group in range(3):
        own = weights[:, groups == group]
        assert (own == own[:, :1]).all()
    drawn = weights[:, [0, 1, 3]]  # an image of each group
    assert (drawn.sum(axis=1) == 3).all()
    assert drawn.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.2)
    assert drawn.var(axis=0) == pytest.approx([2 / 3] * 3, abs=0.2)  # binomial(3, 1/3)


@pytest.mark.parametrize(
    ("images", "replicates", "groups"),
    [
        (0, 5, None),
        (5, 0, None),
        (2, 5, np.array([0, 1, 1])),
        (2, 5, np.array([0, 0])),
        (2, 5, np.array([1, 2])),
    ],
)
def test_nothing_to_draw_is_refused(images, replicates, groups):
    with pytest.raises(InputError):
        image_weights(rng(), images, replicates, groups)


def test_groups_by_a_key_of_the_json():
    truth = truth_of({"id": 3, "video": "b"}, {"id": 1, "video": 7}, {"id": 2, "video": "b"})
    assert image_groups(truth, "video").tolist() == [0, 1, 1]
    with pytest.raises(InputError, match="3 images have no 'scene' in the truth, as image 1"):
        image_groups(truth, "scene")
    with pytest.raises(InputError, match="as image 2"):
        image_groups(truth_of({"id": 1, "video": 0}, {"id": 2, "video": ""}), "video")
    with pytest.raises(InputError, match="the key 'v' puts all images into one group"):
        image_groups(truth_of({"id": 1, "v": 0}, {"id": 2, "v": 0}), "v")


IMAGES = ({"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}, {"id": 3})


def test_groups_by_a_csv_with_names_or_ids(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("group,image\nx,a.jpg\ny,2\nx,3\nz,other.jpg\n")
    assert image_groups(truth_of(*IMAGES), str(path)).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,video\na.jpg,x\n", "no column group"),
        ("image,group\na.jpg,x\nb.jpg,y\n", "no group for image '3'"),
        ("image,group\na.jpg,x\nb.jpg,\n3,x\n", "no group for image 'b.jpg'"),
        ("image,group\na.jpg,x\na.jpg,y\n", "in the groups 'x', 'y'"),
        ("image,group\na.jpg,x\n1,y\nb.jpg,x\n3,x\n", "two groups"),
        ("image,group\na.jpg,x\nb.jpg,x\n3,x\n", "one group"),
        ("", "no column"),
        ("image,group\n\xff,x\n", "no csv that can be read"),
    ],
)
def test_a_csv_that_cannot_work_is_refused(tmp_path, text, message):
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=message):
        image_groups(truth_of(*IMAGES), str(path))
    with pytest.raises(InputError, match="cannot read"):
        image_groups(truth_of(*IMAGES), str(tmp_path / "none.csv"))


def test_both_sources_of_noise_are_in_the_spread():
    """Var = of images + of seeds (S - 1) / S / S: seeds are drawn S of S with replacement."""
    seeds = np.array([-1.0, 0.0, 1.0, 2.0])
    stream = rng()
    table = stream.normal(0, 0.5, (40_000, 1)) + seeds
    drawn = crossed_replicates(table, stream)
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.var() == pytest.approx(0.25 + seeds.var() / 4, rel=0.03)


def test_same_stream_same_interval():
    table = rng().normal(0.5, 1, (500, 3))
    wide, narrow = crossed_interval(table, rng(7)), crossed_interval(table, rng(7), 0.5)
    assert wide == crossed_interval(table, rng(7))
    assert wide != crossed_interval(table, rng(8))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_without_noise_there_is_a_point():
    assert crossed_interval(np.full((10, 3), 0.25), rng()) == (0.25, 0.25)


@pytest.mark.parametrize("table", [np.zeros(3), np.zeros((0, 3)), [[np.nan]]])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(InputError):
        crossed_replicates(table, rng())
