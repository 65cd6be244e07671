import numpy as np
import pytest
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.noise import Noise, seeds_only
from yolox_attn.stats.power import (
    Errors,
    Question,
    Settling,
    detectable_effect,
    equivalence_power,
    expected_errors,
    power,
    seeds_needed,
    settle,
    settled,
    smallest,
)

DETECTABLE = [  # seeds, effect alone, effect at the first step of Holm among 6
    *((3, 3.26, 8.0), (4, 2.13, 4.0), (5, 1.68, 2.8), (6, 1.43, 2.2)),
    *((8, 1.16, 1.65), (10, 1.00, 1.37), (15, 0.78, 1.03), (20, 0.66, 0.86)),
]
BALANCED = Noise(0.4, 0.4, 0.3, 300)


@pytest.mark.parametrize(("seeds", "plain", "holm_of_6"), DETECTABLE)
def test_detectable_effect_in_standard_deviations(seeds, plain, holm_of_6):
    one, half = seeds_only(1.0), seeds_only(0.5)
    assert detectable_effect(one, seeds=seeds) == pytest.approx(plain, abs=0.0051)
    assert detectable_effect(half, seeds=seeds) == pytest.approx(plain / 2, abs=0.003)
    at_first_step = detectable_effect(one, seeds=seeds, alpha=0.05 / 6)
    assert at_first_step == pytest.approx(holm_of_6, rel=0.015)


@pytest.mark.parametrize(
    ("sd", "seeds"), [(0.1, 4), (0.2, 6), (0.3, 10), (0.4, 16), (0.6, 34), (1.0, 90)]
)
def test_seeds_needed_for_0_3_ap(sd, seeds):
    assert seeds_needed(0.3, seeds_only(sd)) == seeds


@pytest.mark.parametrize("seeds", [2, 3, 5, 30])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6])
@pytest.mark.parametrize("effect", [0.1, 0.5, 1.5])
def test_power_is_the_noncentral_t(seeds, alpha, effect):
    quantile, shift = stats.t.isf(alpha / 2, seeds - 1), effect * seeds**0.5
    below = stats.nct.cdf(-quantile, seeds - 1, shift)  # nan for nothing in some versions of scipy
    reference = stats.nct.sf(quantile, seeds - 1, shift) + np.nan_to_num(below)
    found = power(-effect, seeds_only(1.0), seeds=seeds, alpha=alpha)
    assert found == pytest.approx(reference, abs=2e-5)


def test_errors_by_hand():
    """Half the images double a^2 and c^2: 0.32, 0.18; 2 seeds: (0.16 + 0.18) / 2, c^2 / 2."""
    errors = expected_errors(BALANCED, 2, 150)
    assert errors.true**2 == pytest.approx(0.17 + 0.32)
    assert errors.reported**2 == pytest.approx(0.17 + 0.32 + 0.09)


def test_noise_reported_twice_costs_power_and_lowers_false_alarms():
    assert power(0.0, BALANCED, seeds=3, images=300) < 0.05
    assert power(0.0, Noise(0.4, 0.4, 0.0, 300), seeds=3, images=300) == pytest.approx(0.05, 1e-3)


def test_the_needed_number_is_the_smallest():
    seeds = seeds_needed(1.5, BALANCED, images=300)
    assert power(1.5, BALANCED, seeds=seeds, images=300) >= 0.8
    assert seeds == 3 or power(1.5, BALANCED, seeds=seeds - 1, images=300) < 0.8


def test_what_more_seeds_cannot_find():
    assert seeds_needed(0.5, Noise(0.6, 0.2, 0.3, 300), images=300) is None


def test_equivalence_power_with_known_error_is_normal():
    errors = Errors(true=0.2, reported=0.2, freedom=1e9)
    expected = 2 * stats.norm.cdf(0.5 / 0.2 - stats.norm.isf(0.05)) - 1
    assert equivalence_power(0.0, 0.5, errors) == pytest.approx(expected, abs=1e-4)


def test_at_the_margin_equivalence_is_wrong_5_percent_of_the_time():
    errors = expected_errors(seeds_only(0.1), 6, None)
    assert equivalence_power(0.5, 0.5, errors) == pytest.approx(0.05, abs=1e-4)
    assert equivalence_power(0.0, 0.5, errors) > 0.99


def test_no_noise_finds_everything():
    assert power(0.1, seeds_only(0.0), seeds=3) == 1
    assert detectable_effect(seeds_only(0.0), seeds=3) == 0
    assert equivalence_power(0.1, 0.5, expected_errors(seeds_only(0.0), 3, None)) == 1


def test_smallest_searches_by_halves():
    assert smallest(lambda n: n >= 37, 3, 100) == 37
    assert smallest(lambda n: n >= 3, 3, 100) == 3
    assert smallest(lambda n: n >= 100, 3, 100) == 100
    assert smallest(lambda n: n >= 101, 3, 100) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: power(1.0, BALANCED, seeds=1, images=300),
        lambda: power(1.0, BALANCED, seeds=3),
        lambda: power(1.0, BALANCED, seeds=3, images=300, alpha=5),
        lambda: detectable_effect(BALANCED, seeds=3, images=300, target=80),
        lambda: seeds_needed(0.0, BALANCED, images=300),
    ],
)
def test_what_cannot_be_planned_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()


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
