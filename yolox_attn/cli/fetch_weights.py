"""`fetch_weights`: YOLOX's published weights, checked."""

import argparse
from pathlib import Path

from tqdm import tqdm

from yolox_attn.cli import report_errors
from yolox_attn.console import echo
from yolox_attn.exp.published import SIZES, fetch
from yolox_attn.runs import file_hash


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Fetch, check and keep; returns the exit code."""
    parser = argparse.ArgumentParser(
        "fetch_weights", description="Fetch YOLOX's published weights.", allow_abbrev=False
    )
    add = parser.add_argument
    add("size", choices=SIZES, metavar="SIZE", help=", ".join(SIZES))
    add("-o", "--output", type=Path, default=Path("weights"), metavar="DIR", help="default weights")
    args = parser.parse_args(argv)
    with tqdm(unit="B", unit_scale=True, leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        path = fetch(args.size, args.output, progress=progress)
    echo(f"{path}: sha256 {file_hash(path)}")
    return 0
