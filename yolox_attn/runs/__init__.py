"""What a run leaves in its folder, in words and numbers, and who may write there."""

from yolox_attn.runs.codec import file_hash, finite, read_json, read_json_lines, write_json
from yolox_attn.runs.folder import (
    DETECTIONS_NAME,
    alone_at,
    check_hold,
    held,
    hold,
    open_log,
    remove_leftovers,
    replacing,
    scratch_folder,
    write_text,
)
from yolox_attn.runs.metrics import (
    METRICS_NAME,
    append_metrics,
    keep_metrics,
    numbers_of,
    read_metrics,
)
from yolox_attn.runs.record import RECORD_NAME, RunRecord, read_record, write_record

__all__ = [
    "DETECTIONS_NAME",
    "METRICS_NAME",
    "RECORD_NAME",
    "RunRecord",
    "alone_at",
    "append_metrics",
    "check_hold",
    "file_hash",
    "finite",
    "held",
    "hold",
    "keep_metrics",
    "numbers_of",
    "open_log",
    "read_json",
    "read_json_lines",
    "read_metrics",
    "read_record",
    "remove_leftovers",
    "replacing",
    "scratch_folder",
    "write_json",
    "write_record",
    "write_text",
]
