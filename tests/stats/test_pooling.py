import math

import numpy as np
import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.pooling import hedges, paule_mandel, pool, word_of_change

BCG = [  # trials of the vaccine: ill and well with it, ill and well without (Colditz et al., 1994)
    *((4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619)),
    *((33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892)),
    *((29, 7470, 45, 7232), (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338)),
    (27, 16886, 29, 17825),
]
RATIOS = np.array([math.log(a / (a + b) * (c + d) / c) for a, b, c, d in BCG])
VARIANCES = np.array([1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in BCG])


def test_the_bcg_trials():
    """As the literature has them: tau^2 .3181 and .3286, mean -.7150, interval -1.1091, -.3208."""
    assert paule_mandel(RATIOS, VARIANCES) == pytest.approx(0.3181, abs=5e-5)
    assert hedges(RATIOS, VARIANCES) == pytest.approx(0.3286, abs=5e-5)
    found = pool(RATIOS, np.sqrt(VARIANCES))
    assert found.weighted == pytest.approx(-0.7150, abs=5e-5)
    assert found.weighted_interval == pytest.approx((-1.1091, -0.3208), abs=5e-5)
    assert found.heterogeneity**2 == pytest.approx(0.3286, abs=5e-5)


def test_the_bcg_trials_as_statsmodels_has_them():
    meta = pytest.importorskip("statsmodels.stats.meta_analysis")
    theirs = meta.combine_effects(RATIOS, VARIANCES, method_re="pm", use_t=True)
    table = theirs.summary_frame()
    found = pool(RATIOS, np.sqrt(VARIANCES))
    assert found.weighted == pytest.approx(table.loc["random effect", "eff"], abs=1e-6)
    assert theirs.tau2 == pytest.approx(paule_mandel(RATIOS, VARIANCES), abs=1e-5)


def test_three_studies_by_hand():
    """1, 2, 3 with errors of 0.5: s = 1, t(2) = 4.3027."""
    found = pool([1, 2, 3], [0.5, 0.5, 0.5])
    assert found.effect == 2
    assert found.interval == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)
    assert found.prediction == pytest.approx((2 - 4.3027 * (4 / 3) ** 0.5, 2 + 4.9682), abs=2e-4)
    assert found.heterogeneity == pytest.approx(0.75**0.5)


def test_two_studies_have_no_prediction_and_their_own_errors_may_explain_their_scatter():
    found = pool([1.0, 1.1], [0.5, 0.5])
    assert (found.prediction, found.heterogeneity) == (None, 0.0)
    low, high = found.weighted_interval  # never narrower than the plain one: 12.706 x .5 / sqrt(2)
    assert high - low == pytest.approx(2 * 12.7062 * 0.5 / 2**0.5, rel=1e-4)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_mean_of_studies_with_unequal_errors_claims_in_at_most_5_percent(count):
    rng = np.random.default_rng(count)
    errors = rng.uniform(0.1, 1.0, count)
    wrong = 0
    for _ in range(4000):
        low, high = pool(rng.normal(0, np.hypot(errors, 0.3)), errors).interval
        wrong += low > 0 or high < 0
    assert wrong / 4000 < 0.06


@pytest.mark.parametrize(
    ("effects", "errors"), [([1.0], [0.1]), ([1.0, 2.0], [0.1]), ([1.0, 2.0], [0.1, 0.0])]
)
def test_what_cannot_be_pooled_is_refused(effects, errors):
    with pytest.raises(InputError):
        pool(effects, errors)


@pytest.mark.parametrize(
    ("interval", "narrow", "same", "word"),
    [
        ((-0.4, 0.4), (-0.3, 0.3), True, "replicated"),
        ((-0.4, 0.4), (-0.3, 0.3), False, "cannot tell"),
        ((-0.7, 0.4), (-0.6, 0.3), True, "cannot tell"),
        ((0.1, 0.4), (0.15, 0.35), True, "not replicated"),
        ((-3.0, -0.4), (-2.0, -0.6), False, "not replicated"),
    ],
)
def test_whether_a_second_study_found_what_the_first_did(interval, narrow, same, word):
    assert word_of_change(interval, narrow, same_word=same, sesoi=0.5) == word
