"""Drawing again: the test images as weights, and the crossed bootstrap of seeds and images.

Crossed: Owen, "The Pigeonhole Bootstrap", Annals of Applied Statistics 1 (2007), 386-411; that it
errs towards wide intervals: Owen and Eckles, 2012, arXiv 1106.2125.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yolox_attn.coco.annotations import Truth
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded
from yolox_attn.stats.terms import require_share
from yolox_attn.stats.values import Floats, finite


def image_weights(
    rng: np.random.Generator,
    images: int,
    replicates: int,
    groups: NDArray[np.integer[Any]] | None = None,
) -> NDArray[np.int32]:
    """Draw bootstrap resamples: (replicates, images) whole numbers.

    Each row is as many draws with replacement as there are images (Efron, "Bootstrap methods:
    another look at the jackknife", 1979). With `groups` whole groups are drawn, as many as there
    are, and every image of a group stands as often as its group: for images that belong together,
    such as the frames of a video.

    Args:
        rng: the source of all randomness; the same weights serve every model and seed.
        images: number of images, at least 1.
        replicates: number of resamples, at least 1.
        groups: (images,) number of each image's group, from 0 without a gap.

    Raises:
        InputError: nothing to draw, groups of another length, or a single group.
    """
    if images < 1 or replicates < 1:
        raise InputError(f"cannot draw {replicates} resamples of {images} images")
    units = images
    if groups is not None:
        if groups.shape != (images,):
            raise InputError(f"groups has the shape {groups.shape} for {images} images")
        units = len(np.unique(groups))
        if units < 2 or groups.min() != 0 or groups.max() != units - 1:
            span = f"{groups.min()} to {groups.max()}"
            raise InputError(f"{units} groups numbered {span}: needed are 2 or more, from 0 on")
    weights = np.empty((replicates, images), dtype=np.int32)
    for row in weights:
        counts = np.bincount(rng.integers(units, size=units), minlength=units)
        row[:] = counts if groups is None else counts[groups]
    return weights


def crossed_interval(
    replicates: ArrayLike, rng: np.random.Generator, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of the crossed bootstrap, in the unit of `replicates` (R, S).

    With few seeds it is too narrow where seeds dominate: shown beside the interval that judges,
    never instead of it.
    """
    require_share(confidence, "confidence")
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(crossed_replicates(replicates, rng), [tail, 1 - tail])
    return float(lower), float(upper)


def crossed_replicates(replicates: ArrayLike, rng: np.random.Generator) -> Floats:
    """Mean differences with the seeds drawn again too, S of S with replacement in each replicate.

    Args:
        replicates: (R, S) differences of each image resample and seed.
        rng: draws the seeds.

    Returns:
        (R,), in the unit of `replicates`.

    Raises:
        InputError: not a table of at least one replicate and one seed, or a value not finite.
    """
    table = finite(replicates, "the bootstrap replicates")
    if table.ndim != 2 or not table.size:
        raise InputError(f"replicates must be a table (R, S), got shape {table.shape}")
    drawn = rng.integers(table.shape[1], size=table.shape)
    return np.asarray(np.take_along_axis(table, drawn, axis=1).mean(axis=1))


def csv_of_groups(groups: str) -> Path | None:
    """Return the file that `groups` names; None where it is a key of the image entries."""
    return expanded(groups) if groups.endswith(".csv") else None


def image_groups(truth: Truth, groups: str) -> NDArray[np.int64]:
    """Return the number of each image's group, from 0, shape (images,).

    Args:
        truth: the images.
        groups: key of their entries, or a path that ends in .csv, of columns `image`
            (file name or id) and `group`.

    Raises:
        InputError: an image without a group, or a single group.
    """
    path = csv_of_groups(groups)
    origin = f"the key {groups!r}" if path is None else str(path)
    return _numbered(group_names(truth.images, groups), origin)


def group_names(images: Sequence[dict[str, Any]], groups: str) -> list[str]:
    """Return the name of each image's group; `images` are entries, `groups` as in `image_groups`.

    Raises:
        InputError: an image without a group.
    """
    path = csv_of_groups(groups)
    return _names_by_key(images, groups) if path is None else _names_by_csv(images, path)


def _names_by_key(images: Sequence[dict[str, Any]], key: str) -> list[str]:
    if lost := [image["id"] for image in images if image.get(key) in (None, "")]:
        raise InputError(f"{len(lost)} images have no {key!r} in the truth, as image {lost[0]!r}")
    return [repr(image[key]) for image in images]


def _names_by_csv(images: Sequence[dict[str, Any]], path: Path) -> list[str]:
    """Look the images up in a csv with the columns `image` (file name or id) and `group`.

    Rows of other images are no fault: one file may serve several splits.

    Raises:
        InputError: unreadable, columns missing, an image without a group, or with two.
    """
    listed: dict[str, str] = {}
    for image, group in _rows(path):
        if listed.setdefault(image, group) != group:
            raise InputError(
                f"{path}: image {image!r} is in the groups {listed[image]!r}, {group!r}"
            )
    return [_group_of(image, listed, path) for image in images]


def _rows(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if lost := {"image", "group"} - set(reader.fieldnames or ()):
                raise InputError(f"{path} has no column {' or '.join(sorted(lost))}")
            return [((row["image"] or "").strip(), (row["group"] or "").strip()) for row in reader]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no csv that can be read: {error}") from error


def _group_of(image: dict[str, Any], listed: dict[str, str], path: Path) -> str:
    names = [str(image[key]) for key in ("file_name", "id") if key in image]
    groups = {listed[name] for name in names if listed.get(name)}
    if len(groups) != 1:
        which = "two groups, one by name and one by id," if groups else "no group"
        raise InputError(f"{path} has {which} for image {names[0]!r}")
    return groups.pop()


def _numbered(names: Sequence[str], origin: str) -> NDArray[np.int64]:
    """Number the names in the order of their first image: no order among names is needed."""
    places: dict[str, int] = {}
    numbers = [places.setdefault(name, len(places)) for name in names]
    if len(places) < 2:
        raise InputError(f"{origin} puts all images into one group: there is nothing to draw from")
    return np.array(numbers, dtype=np.int64)
