"""The sum of two independent t values, each times its own standard error.

The distribution of Behrens (Landwirtschaftliche Jahrbuecher 68, 1929) and Fisher (Annals of
Eugenics 6, 1935, 391-398). That a test by it errs on the safe side: Robinson, Annals of Statistics
4 (1976), 963-971.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from yolox_attn.stats.values import Floats

Two = tuple[float, float]
CHUNK = 2048  # values at once: nodes x CHUNK numbers are held

# The lower half of the quantiles (0, 1/2) in panels that halve towards 0, as a t with few degrees
# of freedom has its most telling values there: plain Gauss-Legendre stops at 1e-4.
_x, _w = np.polynomial.legendre.leggauss(12)
_edges = 0.5 ** np.arange(1, 56)
_widths = (_edges[:-1] - _edges[1:])[:, None]
SHARES = (_edges[1:, None] + _widths * (_x + 1) / 2).ravel()
WEIGHTS = (_widths * _w / 2).ravel()


def tail(distance: ArrayLike, scales: tuple[ArrayLike, ArrayLike], freedoms: Two) -> Floats:
    """Return the chance that scales[0] t(freedoms[0]) + scales[1] t(freedoms[1]) > distance.

    Right to 1e-10 where neither has fewer than two degrees of freedom, to 2e-5 with one.

    Args:
        distance: any shape.
        scales: standard errors, not negative and not both 0; of the same shape, or numbers.
        freedoms: degrees of freedom, above 0.
    """
    return _averaged(_t_tail, distance, scales, freedoms)


def density(distance: ArrayLike, scales: tuple[ArrayLike, ArrayLike], freedoms: Two) -> Floats:
    """Return the density of that sum at `distance`; arguments as of `tail`."""
    larger = np.maximum(*scales)
    return _averaged(_t_density, distance, scales, freedoms) / larger


def quantile(share: float, scales: tuple[ArrayLike, ArrayLike], freedoms: Two) -> Floats:
    """Return the distance that the sum exceeds with the chance `share`, below 1/2.

    By Newton's steps, none of which leads past it: they begin at the larger of both parts' own
    quantiles, which the sum of two symmetric unimodal values exceeds more often, and the tail is
    convex from there on. `scales` and `freedoms` as of `tail`.
    """
    own = [scale * -special.stdtrit(nu, share) for scale, nu in zip(scales, freedoms, strict=True)]
    distance = np.maximum(*own)
    for _ in range(100):
        step = (tail(distance, scales, freedoms) - share) / density(distance, scales, freedoms)
        distance = distance + np.maximum(step, 0.0)
        if (step <= 1e-13 * distance).all():
            break
    return np.asarray(distance)


def _averaged(
    of: Callable[[Floats, float], Floats],
    distance: ArrayLike,
    scales: tuple[ArrayLike, ArrayLike],
    freedoms: Two,
) -> Floats:
    """Average a function of the larger part over the quantiles of the smaller one."""
    arrays = np.broadcast_arrays(distance, *scales)
    values, first, second = (np.asarray(each, dtype=np.float64).ravel() for each in arrays)
    result = np.empty(values.size)
    smaller = first <= second
    for rows, (small, large), (of_small, of_large) in (
        (np.flatnonzero(smaller), (first, second), freedoms),
        (np.flatnonzero(~smaller), (second, first), freedoms[::-1]),
    ):
        quantiles = special.stdtrit(of_small, SHARES)
        for chosen in np.array_split(rows, len(rows) // CHUNK + 1):
            at = (values[chosen] / large[chosen])[:, None]
            moved = (small[chosen] / large[chosen])[:, None] * quantiles
            result[chosen] = (of(at - moved, of_large) + of(at + moved, of_large)) @ WEIGHTS
    return result.reshape(arrays[0].shape)


def _t_tail(values: Floats, freedom: float) -> Floats:
    return np.asarray(special.stdtr(freedom, -values))


def _t_density(values: Floats, freedom: float) -> Floats:
    half = (freedom + 1) / 2
    log_factor = special.gammaln(half) - special.gammaln(freedom / 2)
    factor = np.exp(log_factor) / np.sqrt(freedom * np.pi)
    return np.asarray(factor * np.exp(-half * np.log1p(values**2 / freedom)))
