import numpy as np
import pytest
from scipy import stats
from simulation import Setting, mixture, simulate

from yolox_attn.errors import InputError
from yolox_attn.stats.noise import Noise, seeds_only
from yolox_attn.stats.power import (
    Errors,
    Need,
    Question,
    detectable_effect,
    equivalence_power,
    expected_errors,
    power,
    seeds_needed,
    settle,
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
    """Half the images double a^2 and c^2: 0.32, 0.18; of 2 seeds: (0.16 + 0.18) / 2."""
    errors = expected_errors(BALANCED, 2, 150)
    assert errors.seed_error**2 == pytest.approx(0.17)
    assert errors.image_error**2 == pytest.approx(0.32)
    assert errors.true**2 == pytest.approx(0.49)
    assert errors.image_freedom == 149


@pytest.mark.parametrize("shares", [(0, 1, 0), (0.1, 0.8, 0.1), (0.5, 0.3, 0.2), (0.9, 0.1, 0)])
@pytest.mark.parametrize("seeds", [3, 5])
def test_power_is_that_of_drawn_studies(shares, seeds):
    """To the 1.3 points that taking the images' part as known costs, and the drawing's own."""
    noise = mixture(shares, 100)
    effect = detectable_effect(noise, seeds=seeds, images=100)
    drawn = simulate(Setting(noise, seeds, effect), 4000, np.random.default_rng(seeds))
    assert drawn.claims() / drawn.studies == pytest.approx(0.8, abs=0.013 + 0.025)


def test_without_an_effect_power_is_alpha():
    """Exactly for seeds alone; below it where both parts count (Robinson 1976)."""
    assert power(0.0, seeds_only(1.0), seeds=3) == pytest.approx(0.05, abs=1e-6)
    for seeds in (3, 5, 10):
        assert 0.02 < power(0.0, BALANCED, seeds=seeds, images=300) < 0.051


def test_the_needed_number_is_the_smallest():
    seeds = seeds_needed(1.5, BALANCED, images=300)
    assert power(1.5, BALANCED, seeds=seeds, images=300) >= 0.8
    assert seeds == 3 or power(1.5, BALANCED, seeds=seeds - 1, images=300) < 0.8


def test_what_more_seeds_cannot_find():
    assert seeds_needed(0.5, Noise(0.6, 0.2, 0.3, 300), images=300) is None


def test_equivalence_power_with_known_error_is_normal():
    errors = Errors(10**7, seed_error=0.2, image_error=0.0)
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


def found(effect: float, noise: Noise, seeds: int, images: int | None) -> bool:
    return power(effect, noise, seeds=seeds, images=images) >= 0.8


def test_seeds_settle_what_seeds_left_open():
    noise = seeds_only(0.4)
    settling = settle(Question(0.35, 0.5), noise, 3, None)
    for need, effect in ((settling.seen, 0.35), (settling.sesoi, 0.5)):
        assert need.images is None
        assert found(effect, noise, need.seeds, None)
        assert not found(effect, noise, need.seeds - 1, None)


def test_it_takes_more_seeds_than_there_were():
    assert settle(Question(5.0, 0.5), seeds_only(0.1), 4, None).seen.seeds == 5


def test_images_settle_what_images_left_open():
    noise = Noise(0.3, 0.05, 0.1, 300)
    settling = settle(Question(0.4, 0.8), noise, 5, 300)
    assert settling.seen.seeds is None
    assert found(0.4, noise, 5, settling.seen.images)
    assert not found(0.4, noise, 5, settling.seen.images - 1)


def test_beyond_30_seeds_and_10_times_the_images_stands_what_30_seeds_find():
    noise = Noise(0.6, 3.0, 0.3, 300)
    settling = settle(Question(0.1, 0.2), noise, 4, 300)
    assert settling.seen == settling.sesoi == Need(None, None)
    assert settling.affordable == detectable_effect(noise, seeds=30, images=300)


def test_a_difference_of_0_has_nothing_to_find():
    assert settle(Question(0.0, 0.5), seeds_only(0.4), 3, None).seen is None


def test_more_variants_need_more():
    alone = settle(Question(0.6, 0.5), seeds_only(0.4), 3, None).sesoi.seeds
    assert settle(Question(0.6, 0.5, family=6), seeds_only(0.4), 3, None).sesoi.seeds > alone


def test_two_seeds_are_never_settled_by_images():
    assert settle(Question(0.3, 0.3), Noise(0.4, 0.0, 0.0, 300), 2, 300).seen == Need(None, None)


def test_without_noise_there_is_nothing_to_plan_from():
    assert settle(Question(1.0, 0.5), seeds_only(0.0), 3, 300) is None


@pytest.mark.parametrize("settings", [{"sesoi": 0}, {"alpha": 5}, {"family": 0}])
def test_what_is_no_question_is_refused(settings):
    with pytest.raises(InputError):
        Question(**{"difference": 0.1, "sesoi": 0.5, **settings})
