"""Scenes for the drawn set: shapes by formula, on cluttered ground, partly hiding each other."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

Array = np.ndarray
Outline = Callable[[Array, Array], Array]  # coordinates in radii -> signed distance, < 0 inside

# Disc and ring differ by a hole, square and grate by texture only.
CLASSES: dict[str, Outline] = {
    "disc": lambda u, v: np.hypot(u, v) - 1,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.75) - 0.25,  # with a hole of half its radius
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) - 0.8,  # corners beyond the radius
    "grate": lambda u, v: np.maximum(np.abs(u), np.abs(v)) - 0.8,
    "star": lambda u, v: np.hypot(u, v) - 0.7 - 0.3 * np.cos(5 * np.arctan2(v, u)),  # five petals
}
STRIPED = "grate"
# Parts of the colour circle: within each of the two pairs the colours overlap.
HUES = {"disc": 0.0, "ring": 0.12, "square": 0.4, "grate": 0.52, "star": 0.76}
HUE_SPREAD = 0.05  # standard deviation
DISTRACTORS: tuple[Outline, ...] = (  # unlabelled, of any hue
    lambda u, v: np.maximum(np.abs(u) * 0.87 + v * 0.5, -v) - 0.5,  # a triangle
    lambda u, v: np.maximum(np.abs(u) - 1, np.abs(v) - 0.08),  # a long thin bar
)

MIN_RADIUS = 8.0  # pixels: about 16 across
MAX_RADIUS = 0.25  # of the image's side
LARGE_RADIUS = (0.4, 0.5)  # of the image's side, for the first object of some images
LARGE_SHARE = 0.4  # of the images
MIN_VISIBLE = 0.45  # of an object's pixels in the image; less would be a riddle, not a label
OBJECTS = (4, 10)  # an image, the last included
TRIES = 20  # to find a place that hides no other object too much


@dataclass(frozen=True)
class Scene:
    """One image and what can be seen in it.

    `pixels` (S, S, 3) uint8 BGR; `owners` (S, S): the index of the object that a pixel shows,
    -1 for ground and distractors; `names[i]` the class of object i; `whole[i]` the pixels that it
    would show if nothing lay over it.
    """

    pixels: Array
    owners: Array
    names: tuple[str, ...]
    whole: tuple[int, ...]


def draw_scene(size: int, rng: np.random.Generator) -> Scene:
    """Draw one scene of `size` x `size` pixels."""
    canvas = _ground(size, rng)
    for _ in range(rng.integers(1, 4)):
        outline = DISTRACTORS[rng.integers(len(DISTRACTORS))]
        cover, stripes = _cover(outline, size, _radius(size, rng), rng)
        _paint(canvas, cover, np.zeros_like(stripes), rng.random(), rng)
    owners = np.full((size, size), -1)
    names: list[str] = []
    whole: list[int] = []
    wanted = rng.choice(list(CLASSES), size=rng.integers(OBJECTS[0], OBJECTS[1] + 1))
    radii = [_radius(size, rng) for _ in wanted]
    if rng.random() < LARGE_SHARE:
        radii[0] = size * rng.uniform(*LARGE_RADIUS)
    for name, radius in zip(wanted, radii, strict=True):
        placed = _place(CLASSES[name], radius, owners, whole, rng)
        if placed is None:
            continue
        cover, stripes = placed
        owners[cover > 0.5] = len(names)
        names.append(str(name))
        whole.append(int((cover > 0.5).sum()))
        stripes = stripes if name == STRIPED else np.zeros_like(stripes)
        _paint(canvas, cover, stripes, rng.normal(HUES[name], HUE_SPREAD), rng)
    canvas += rng.normal(scale=rng.uniform(2, 6), size=canvas.shape)
    pixels = canvas.clip(0, 255).round().astype(np.uint8)
    return Scene(pixels, owners, tuple(names), tuple(whole))


def _radius(size: int, rng: np.random.Generator) -> float:
    """Return a radius in pixels, as many between 10 and 20 as between 20 and 40."""
    return float(np.exp(rng.uniform(np.log(MIN_RADIUS), np.log(MAX_RADIUS * size))))


def _ground(size: int, rng: np.random.Generator) -> Array:
    """Return (S, S, 3) dull coloured noise of three grains on a random grey."""
    ground = np.full((size, size, 3), rng.uniform(70, 180)) + rng.uniform(-15, 15, size=3)
    for cells, strength in ((3, 20), (12, 12), (48, 8)):
        noise = rng.normal(scale=rng.uniform(0.3, 1) * strength, size=(cells, cells, 3))
        ground += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return ground


def _place(
    outline: Outline, radius: float, owners: Array, whole: list[int], rng: np.random.Generator
) -> tuple[Array, Array] | None:
    """Return the `_cover` of a place that hides no other object too much; None if none is found."""
    for _ in range(TRIES):
        cover, stripes = _cover(outline, len(owners), radius, rng)
        left = np.bincount(owners[cover <= 0.5] + 1, minlength=len(whole) + 1)[1:]
        if (left >= MIN_VISIBLE * np.array(whole)).all():
            return cover, stripes
    return None


def _cover(
    outline: Outline, size: int, radius: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return how much of each pixel an outline in a random pose covers, and stripes across it.

    Both (S, S), 0 to 1. The centre lies in the image, the rest may be cut off by its border.
    """
    x, y = rng.uniform(0.5 * radius, size - 0.5 * radius, size=2)
    angle, squeeze = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1)
    rows, columns = np.ogrid[:size, :size]
    across, down = columns + 0.5 - x, rows + 0.5 - y  # (1, S), (S, 1)
    u = (across * np.cos(angle) + down * np.sin(angle)) / radius
    v = (down * np.cos(angle) - across * np.sin(angle)) / (radius * squeeze)
    near = (slice(*_reach(y, radius, size)), slice(*_reach(x, radius, size)))
    cover, stripes = np.zeros((size, size)), np.zeros((size, size))
    cover[near] = (0.5 - radius * outline(u[near], v[near])).clip(0, 1)
    stripes[near] = np.sin(u[near] * rng.uniform(8, 11)) > 0
    return cover, stripes


def _reach(centre: float, radius: float, size: int) -> tuple[int, int]:
    """Return the first and one past the last pixel that a shape can touch: squares have corners."""
    return max(0, int(centre - 1.2 * radius)), min(size, int(centre + 1.2 * radius) + 1)


def _paint(
    canvas: Array, cover: Array, stripes: Array, hue: float, rng: np.random.Generator
) -> None:
    """Blend a shaded, more or less saturated colour into the canvas (S, S, 3)."""
    rows, columns = np.nonzero(cover)
    if not len(rows):
        return
    near = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    colour = _colour(hue, rng)
    down, across = rng.uniform(-0.3, 0.3, size=2)  # the slope of the shade, grey levels a pixel
    shade = down * np.arange(len(cover))[:, None] + across * np.arange(len(cover))
    striped = stripes[near][..., None]
    paint = colour * (1 - 0.6 * striped) + shade[near][..., None]
    canvas[near] += cover[near][..., None] * (paint - canvas[near])


def _colour(hue: float, rng: np.random.Generator) -> Array:
    """Return B, G, R of a hue (1 is once round the circle), of random lightness and saturation."""
    wave = np.cos(2 * np.pi * (hue + np.arange(3) / 3))
    colour: Array = rng.uniform(100, 180) + rng.uniform(50, 90) * wave
    return colour
