"""`convert`: a data set of another layout, written as COCO's."""

import argparse
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.console import called_as, count, echo
from yolox_attn.data.formats import Splitting, convert
from yolox_attn.errors import InputError


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
    splitting = None
    if args.split is not None:
        splitting = Splitting(args.split, args.split_seed or 0, args.split_by)
    made = convert(args.source, args.output, splitting, unlabelled=args.unlabelled == "background")
    classes = count(len(made.classes), "class", "classes")
    echo(f"{args.source}: {made.layout}, {classes}: {', '.join(made.classes)}")
    for split, (images, boxes) in made.counts.items():
        echo(f"  {split}: {count(images, 'image')}, {count(boxes, 'box', 'boxes')}")
    for note in made.notes:
        echo(f"  {note}")
    echo(f"next: {called_as('doctor')} --data {made.folder}")
    return 0
