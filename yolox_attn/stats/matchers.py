"""Who matches: pycocotools can always; ultrafast-pycocotools gives the same sooner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

try:
    from ultrafast_pycocotools.coco import COCO as FastCOCO
    from ultrafast_pycocotools.cocoeval import COCOeval as FastCOCOeval
except ImportError:  # the extra [fast]
    FastCOCO = FastCOCOeval = None


@dataclass(frozen=True)
class Matcher:
    """pycocotools' two classes, or a package's that does as they do."""

    name: str
    index: Callable[[], Any]  # an empty COCO
    evaluation: Callable[[Any, Any], Any]  # truth, detections -> a COCOeval that keeps evalImgs


def judge() -> Matcher:
    """Return pycocotools', which every other matcher is held against."""
    return Matcher("pycocotools", COCO, lambda truth, found: COCOeval(truth, found, "bbox"))


def best_matcher() -> Matcher:
    """Return the fastest that is installed."""
    if FastCOCOeval is None:
        return judge()
    return Matcher(
        "ultrafast-pycocotools",
        lambda: FastCOCO(verbose=False),
        lambda truth, found: FastCOCOeval(truth, found, "bbox", store_eval_imgs=True),
    )
