"""The data doctor: what is wrong with a data set, said before anything is trained on it."""

from yolox_attn.data.doctor.report import Finding, Report
from yolox_attn.data.doctor.run import examine_splits, load_split, unloadable

__all__ = ["Finding", "Report", "examine_splits", "load_split", "unloadable"]
