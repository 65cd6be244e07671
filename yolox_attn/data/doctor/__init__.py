"""The data doctor: what is wrong with a data set, said before anything is trained on it."""

from yolox_attn.data.doctor.examine import examine, examine_splits
from yolox_attn.data.doctor.load import load_split, unloadable
from yolox_attn.data.doctor.report import Finding, Report

__all__ = ["Finding", "Report", "examine", "examine_splits", "load_split", "unloadable"]
