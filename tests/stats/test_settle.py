import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.noise import Noise, seeds_only
from yolox_attn.stats.power import Question, Settling, settle, settled


def test_seeds_settle_what_seeds_left_open():
    question, noise = Question(0.2, 0.5), seeds_only(0.4)
    found = settle(question, noise, 3, None)
    assert found.images is None
    assert settled(question, noise, found.seeds, None)
    assert not settled(question, noise, found.seeds - 1, None)


def test_a_difference_of_0_is_settled_by_showing_that_it_is_small():
    assert settle(Question(0.0, 0.5), seeds_only(0.4), 3, None).seeds is not None


def test_images_settle_what_images_left_open():
    noise = Noise(0.6, 0.05, 0.1, 300)
    found = settle(Question(0.3, 0.5), noise, 5, 300)
    assert found.seeds is None
    assert settled(Question(0.3, 0.5), noise, 5, found.images)
    assert not settled(Question(0.3, 0.5), noise, 5, found.images - 1)
    assert found.both is None


def test_where_neither_alone_is_enough_both_are():
    question, noise = Question(0.2, 0.5), Noise(0.5, 0.5, 0.2, 300)
    found = settle(question, noise, 3, 300)
    assert (found.seeds, found.images) == (None, None)
    seeds, images = found.both
    assert images == 100 * seeds
    assert settled(question, noise, seeds, images)
    assert not settled(question, noise, seeds - 1, images - 100)


def test_more_variants_need_more():
    alone = settle(Question(0.6, 0.5), seeds_only(0.4), 3, None).seeds
    assert settle(Question(0.6, 0.5, family=6), seeds_only(0.4), 3, None).seeds > alone


def test_two_seeds_are_never_settled_by_images():
    assert settle(Question(0.6, 0.5), Noise(0.4, 0.0, 0.0, 300), 2, 300).images is None


def test_without_noise_there_is_nothing_to_plan_from():
    assert settle(Question(1.0, 0.5), seeds_only(0.0), 3, 300) == Settling(None, None, None)


@pytest.mark.parametrize("settings", [{"sesoi": 0}, {"alpha": 5}, {"family": 0}])
def test_what_is_no_question_is_refused(settings):
    with pytest.raises(InputError):
        Question(**{"difference": 0.1, "sesoi": 0.5, **settings})
