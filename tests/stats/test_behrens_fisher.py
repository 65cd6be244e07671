import numpy as np
import pytest
from scipy import integrate, stats

from yolox_attn.stats.behrens_fisher import density, quantile, tail

SCALES = [(0.01, 1.0), (0.3, 1.0), (1.0, 1.0), (1.0, 0.5), (1.0, 0.02)]
FREEDOMS = [(2, 11), (2, 4999), (4, 29.3), (9, 99)]


def reference(distance: float, scales: tuple, freedoms: tuple) -> float:
    """By adaptive quadrature over the first part, split where the integrand turns."""
    a, b = scales
    edges = sorted({*(10.0**k * s for k in range(-3, 9) for s in (-1, 1)), 0, distance / a})
    edges = sorted({*edges, *(distance / a + k * b / a for k in (-8, -2, -1, 1, 2, 8))})
    pieces = zip([-np.inf, *edges], [*edges, np.inf], strict=True)

    def integrand(x: float) -> float:
        return stats.t.pdf(x, freedoms[0]) * stats.t.sf((distance - a * x) / b, freedoms[1])

    return sum(integrate.quad(integrand, *ends, epsabs=1e-14, limit=200)[0] for ends in pieces)


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("freedoms", FREEDOMS)
def test_the_tail_to_ten_digits(scales, freedoms):
    for sd in (0.0, 0.7, 2.0, 5.0):
        distance = sd * float(np.hypot(*scales))
        found = tail(distance, scales, freedoms)
        assert found == pytest.approx(reference(distance, scales, freedoms), abs=1e-10)


def test_either_part_alone_is_its_t():
    at = np.array([0.0, 0.5, 2.5, 9.0])
    np.testing.assert_allclose(tail(at, (0.0, 1.0), (2, 99)), stats.t.sf(at, 99), atol=1e-13)
    np.testing.assert_allclose(tail(at, (2.0, 0.0), (2, 99)), stats.t.sf(at / 2, 2), atol=1e-13)
    assert quantile(0.025, (0.0, 1.0), (2, 99)) == pytest.approx(stats.t.isf(0.025, 99))
    assert quantile(0.025, (3.0, 0.0), (2, 99)) == pytest.approx(3 * stats.t.isf(0.025, 2))


@pytest.mark.parametrize(
    ("freedoms", "degrees", "printed"),
    [((6, 6), 45, 2.435), ((12, 24), 45, 2.112), ((6, 12), 30, 2.239), ((8, 8), 45, 2.292)],
)
def test_printed_five_percent_points(freedoms, degrees, printed):
    """Sukhatme's table in Fisher and Yates; the angle's sine belongs to the first part."""
    angle = np.deg2rad(degrees)
    found = quantile(0.025, (np.sin(angle), np.cos(angle)), freedoms)
    assert found == pytest.approx(printed, abs=1e-3)


@pytest.mark.parametrize("freedoms", [*FREEDOMS, (1, 50)])
@pytest.mark.parametrize("share", [0.05, 0.025, 0.0005])
def test_the_quantile_is_where_the_tail_is_the_share(share, freedoms):
    scales = np.array([each[0] for each in SCALES]), np.array([each[1] for each in SCALES])
    found = quantile(share, scales, freedoms)
    np.testing.assert_allclose(
        tail(found, scales, freedoms), share, rtol=1e-3 if 1 in freedoms else 1e-9
    )


def test_the_density_is_the_tails_slope():
    at, step = np.array([0.3, 1.5, 4.0]), 1e-5
    args = (0.6, 0.9), (2, 40)
    slope = (tail(at - step, *args) - tail(at + step, *args)) / (2 * step)
    np.testing.assert_allclose(density(at, *args), slope, rtol=1e-6)


def test_many_values_are_each_alone():
    rng = np.random.default_rng(0)
    at, first = rng.uniform(0, 5, 5000), rng.uniform(0, 2, 5000)
    together = tail(at, (first, 1.0), (2, 29))
    for n in (0, 2048, 4999):
        assert together[n] == pytest.approx(float(tail(at[n], (first[n], 1.0), (2, 29))), abs=1e-15)
