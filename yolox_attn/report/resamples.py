"""The test images of a comparison, and how they are drawn again: once, the same for every run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.stats.detections import read_detections
from yolox_attn.stats.judgement import Terms
from yolox_attn.stats.matches import match
from yolox_attn.stats.measured import Measured, TestSet, images_of_classes, measure_matches
from yolox_attn.stats.resample import groups_from_csv, groups_from_key, image_weights
from yolox_attn.stats.truth import Truth


@dataclass(frozen=True)
class Resamples:
    """Draws of the test images.

    Args:
        weights: (R, images) how often each image stands in each resample.
        units: how many images, or groups of them, were drawn from.
        groups: what was drawn instead of images, as "120 groups by video".
    """

    truth: Truth
    weights: NDArray[np.integer[Any]]
    units: int
    groups: str | None = None

    @property
    def test_set(self) -> TestSet:
        """What the verdict must know of the images."""
        truth = self.truth
        counts = images_of_classes(truth).tolist()
        return TestSet(self.units, truth.class_names, counts, grouped=self.groups is not None)


def draw_resamples(truth: Truth, terms: Terms, groups: str | None = None) -> Resamples:
    """Draw `terms.replicates` resamples with `terms.seed`.

    Args:
        truth: the test images.
        terms: of the study.
        groups: key of the image entries, or a path that ends in .csv, of images that belong
            together; None draws single images.

    Raises:
        InputError: an image without a group, or a single group.
    """
    rng, images = np.random.default_rng(terms.seed), len(truth.images)
    if groups is None:
        return Resamples(truth, image_weights(rng, images, terms.replicates), images)
    path = Path(groups)
    listed = path.suffix == ".csv"
    numbers = groups_from_csv(truth, path) if listed else groups_from_key(truth, groups)
    units = int(numbers.max()) + 1
    weights = image_weights(rng, images, terms.replicates, numbers)
    return Resamples(truth, weights, units, f"{units} groups by {path.name if listed else groups}")


def measure_file(path: Path, drawn: Resamples) -> Measured:
    """Take the AP of a file of COCO results on the images and on every resample.

    Raises:
        InputError: it cannot be read, or does not fit the truth.
    """
    # The detections themselves are gone before the resamples come: at COCO's size they are large.
    matches = match(drawn.truth, read_detections(path), str(path))
    return measure_matches(matches, drawn.weights)
