"""`convert`: a data set of another layout, written as COCO's."""

import argparse

from yolox_attn.console import called_as, count, echo
from yolox_attn.data import formats


def convert(args: argparse.Namespace) -> int:
    """Convert as the words say, and say what became of it; returns the exit code.

    Raises:
        InputError: it is no data set, or cannot be converted.
    """
    splitting = None
    if args.split is not None:
        splitting = formats.Splitting(args.split, args.split_seed or 0, args.split_by)
    made = formats.convert(
        args.source, args.output, splitting, unlabelled=args.unlabelled == "background"
    )
    classes = count(len(made.classes), "class", "classes")
    echo(f"{args.source}: {made.layout}, {classes}: {', '.join(made.classes)}")
    for split, (images, boxes) in made.counts.items():
        echo(f"  {split}: {count(images, 'image')}, {count(boxes, 'box', 'boxes')}")
    for note in made.notes:
        echo(f"  {note}")
    echo(f"next: {called_as('doctor')} --data {made.folder}")
    return 0
