"""What a run leaves in its folder, in words and numbers, and who may write there."""

from yolox_attn.runs.files import finite, kept_as, remove_leftovers, replacing, write_text
from yolox_attn.runs.folder import DETECTIONS_NAME, old_files, refuse_or_clear
from yolox_attn.runs.lock import held, hold
from yolox_attn.runs.metrics import METRICS_NAME, append_metrics, keep_metrics, read_metrics
from yolox_attn.runs.record import RECORD_NAME, RunRecord, read_record, write_record
from yolox_attn.runs.settings import COSMETIC, identify_data

__all__ = [
    "COSMETIC",
    "DETECTIONS_NAME",
    "METRICS_NAME",
    "RECORD_NAME",
    "RunRecord",
    "append_metrics",
    "finite",
    "held",
    "hold",
    "identify_data",
    "keep_metrics",
    "kept_as",
    "old_files",
    "read_metrics",
    "read_record",
    "refuse_or_clear",
    "remove_leftovers",
    "replacing",
    "write_record",
    "write_text",
]
