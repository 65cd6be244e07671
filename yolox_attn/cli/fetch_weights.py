"""`fetch_weights`: YOLOX's published weights, checked."""

import argparse
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import work_of
from yolox_attn.names import PUBLISHED_SIZES


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Fetch, check and keep; returns the exit code."""
    parser = argparse.ArgumentParser(
        "fetch_weights", description="Fetch YOLOX's published weights.", allow_abbrev=False
    )
    add = parser.add_argument
    add("size", choices=PUBLISHED_SIZES, metavar="SIZE", help=", ".join(PUBLISHED_SIZES))
    add("-o", "--output", type=Path, default=Path("weights"), metavar="DIR", help="default weights")
    args = parser.parse_args(argv)
    return int(work_of("fetch_weights").fetch(args.size, args.output))
