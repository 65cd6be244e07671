"""From the folders that runs left to a table across variants."""

from yolox_attn.report.collect import Run, find_runs
from yolox_attn.report.comparison import Comparison, compare
from yolox_attn.report.files import read_comparison, write_comparison
from yolox_attn.report.speed import measure_latency
from yolox_attn.report.tables import as_csv, as_markdown, as_text

__all__ = [
    "Comparison",
    "Run",
    "as_csv",
    "as_markdown",
    "as_text",
    "compare",
    "find_runs",
    "measure_latency",
    "read_comparison",
    "write_comparison",
]
