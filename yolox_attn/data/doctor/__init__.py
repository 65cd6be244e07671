"""The data doctor: what is wrong with a data set, said before anything is trained on it."""

from yolox_attn.data.doctor.examine import examine, examine_split
from yolox_attn.data.doctor.report import Finding, Report

__all__ = ["Finding", "Report", "examine", "examine_split"]
