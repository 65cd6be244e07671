"""From the folders that runs left, or from detections alone, to verdicts and their report."""

from yolox_attn.report.build import build_comparison
from yolox_attn.report.compare_runs import compare
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.external import compare_detections
from yolox_attn.report.judge_runs import JudgingRequest, judge_runs
from yolox_attn.report.latency import measure_latency
from yolox_attn.report.load_runs import Run, Runs, find_runs, load_runs
from yolox_attn.report.output import as_csv, read_comparison, write_comparison
from yolox_attn.report.select_runs import select_runs
from yolox_attn.report.text import as_markdown, as_text

__all__ = [
    "Comparison",
    "JudgingRequest",
    "Run",
    "Runs",
    "as_csv",
    "as_markdown",
    "as_text",
    "build_comparison",
    "compare",
    "compare_detections",
    "find_runs",
    "judge_runs",
    "load_runs",
    "measure_latency",
    "read_comparison",
    "select_runs",
    "write_comparison",
]
