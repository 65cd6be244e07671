import numpy as np
import pytest

from yolox_attn.data.scenes import CLASSES, MIN_VISIBLE, OBJECTS, draw_scene

SIZE = 96


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    return [draw_scene(SIZE, rng) for _ in range(60)]


def visible(scene):
    return np.bincount(scene.owners.ravel() + 1, minlength=len(scene.names) + 1)[1:]


def test_same_rng_same_scene():
    first, second, other = (draw_scene(SIZE, np.random.default_rng(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.owners, second.owners)
    assert (first.pixels != other.pixels).any()


def test_every_object_stays_visible_and_some_are_hidden_in_part(scenes):
    shares = np.concatenate([visible(scene) / scene.whole for scene in scenes])
    assert shares.min() >= MIN_VISIBLE
    assert 0.1 < (shares < 0.95).mean() < 0.6


def test_all_classes_and_counts_appear(scenes):
    assert {name for scene in scenes for name in scene.names} == set(CLASSES)
    counts = [len(scene.names) for scene in scenes]
    assert max(counts) <= OBJECTS[1]
    assert min(counts) >= 1


def test_objects_stand_out_from_their_ground(scenes):
    """What is labelled must be seen: inside and around differ in colour."""
    for scene in scenes:
        for index in range(len(scene.names)):
            inside = scene.owners == index
            assert scene.pixels[inside].std() < 120
            near = np.abs(scene.pixels[inside].mean(0) - scene.pixels[~inside].mean(0)).sum()
            assert near > 3


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_outlines_stay_within_the_reach(name):
    """Nothing of a shape lies beyond 1.2 radii, where it would be cut off."""
    v, u = np.mgrid[-2:2:401j, -2:2:401j]
    inside = CLASSES[name](u, v) < 0
    assert inside.mean() > 0.05
    assert np.abs(u[inside]).max() <= 1
    assert np.abs(v[inside]).max() <= 1
