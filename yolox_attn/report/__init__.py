"""From the folders that runs left, or from detections alone, to verdicts and their report."""

from yolox_attn.report.collect import Run, find_runs
from yolox_attn.report.comparison import Comparison, compare
from yolox_attn.report.files import read_comparison, write_comparison
from yolox_attn.report.foreign import compare_detections
from yolox_attn.report.judging import Request, judge_runs
from yolox_attn.report.speed import measure_latency
from yolox_attn.report.tables import as_csv, as_markdown, as_text

__all__ = [
    "Comparison",
    "Request",
    "Run",
    "as_csv",
    "as_markdown",
    "as_text",
    "compare",
    "compare_detections",
    "find_runs",
    "judge_runs",
    "measure_latency",
    "read_comparison",
    "write_comparison",
]
