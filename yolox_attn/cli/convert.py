"""`convert`: a data set of another layout, written as COCO's."""

import argparse
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import work_of
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded


def make_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        "convert",
        description="Write a Pascal VOC, YOLO, Roboflow or loose COCO set in COCO layout. Images "
        "are linked, neither copied nor changed. --data takes such a set without this, too.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="SET", help="a folder, a data.yaml or a json")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="where; a new folder")
    share = "of a set without splits, the share to train on; by the images' content"
    add("--split", type=float, metavar="SHARE", help=share)
    add("--split-seed", type=int, metavar="K", help="another seed, another split (default 0)")
    together = "images that stay together: a key of the image entries, or a csv (image, group)"
    add("--split-by", metavar="KEY|FILE.csv", help=together)
    background = "images without a Pascal VOC XML are background (default: refused)"
    add("--unlabelled", choices=("background",), help=background)
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Convert, and say what became of it; returns the exit code."""
    args = make_parser().parse_args(argv)
    if args.split is None and (args.split_seed is not None or args.split_by is not None):
        raise InputError("--split-seed and --split-by need --split")
    if not expanded(args.source).exists():
        raise InputError(f"no data folder {args.source}")
    return int(work_of("convert").convert(args))
