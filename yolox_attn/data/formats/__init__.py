"""Data sets of other layouts than COCO's, read into COCO's: recognised, or refused by name."""

from yolox_attn.data.formats.convert import convert, converted
from yolox_attn.data.formats.split import Splitting

__all__ = ["Splitting", "convert", "converted"]
