"""`demo`: train a baseline and attention variants on the drawn set, and put them side by side."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from yolox_attn.cli import compare, report_errors
from yolox_attn.cli.common import work_of
from yolox_attn.console import called_as, echo, outliving_readers
from yolox_attn.errors import InputError
from yolox_attn.machine import usable_cores

VARIANTS = ("cam", "eca")
YOLOX_DEMO = ("image", "video", "webcam")  # the first word of YOLOX's own tools/demo.py
SEEDS, EPOCHS = 3, 4  # one seed gives no verdict


@report_errors
@outliving_readers()
def main(argv: list[str] | None = None) -> int:
    """Train every variant with every seed, and compare; returns the exit code."""
    refuse_pictures(sys.argv[1:] if argv is None else argv)
    args = make_parser().parse_args(argv)
    for option in ("seeds", "epochs", "jobs"):
        if getattr(args, option) < 1:
            raise InputError(f"--{option} {getattr(args, option)}: at least 1")
    code, runs = work_of("demo").train_all(args)
    if code:
        return int(code)
    output = Path(args.output_dir, "demo")
    code = compare.main([*runs, "-o", str(output), "--device", args.device])
    if not code:
        echo("\n".join(next_lines(output / "comparison.html")))
    return int(code)


def refuse_pictures(words: Sequence[str]) -> None:
    """Answer YOLOX's `demo.py image --path PATH ...` with the line that does it here.

    Raises:
        InputError: the words are those of YOLOX's tool.
    """
    if words[:1] and words[0] in YOLOX_DEMO:
        given = dict(pairwise(words))
        source = "camera:0" if words[0] == "webcam" else given.get("--path", "PATH")
        line = shlex.join([source, "-c", "RUN_FOLDER"])
        raise InputError(
            f"demo {words[0]}: this demo trains and compares; pictures and video: "
            f"{called_as('detect')} {line}"
        )


def next_lines(page: Path) -> list[str]:
    """Say where the page lies, and what to type for data of one's own."""
    study = f"{called_as('study')} {{}} studies/mine"
    return [
        f"the page: {page}",
        "your own data, DATA in COCO's layout, Pascal VOC, YOLO or a Roboflow export:",
        f"  {called_as('doctor')} --data DATA",
        f"  {study.format('plan')} --baseline yolox-nano --variants cam eca --controls placebo"
        " --seeds 5 --data DATA",
        f"  {study.format('run')}",
        f"  {study.format('report')}",
    ]


def make_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    cores = usable_cores()
    parser = argparse.ArgumentParser(prog="demo", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add(
        "blocks",
        nargs="*",
        default=VARIANTS,
        metavar="BLOCK",
        help=f"variants (default {' '.join(VARIANTS)})",
    )
    add("--seeds", type=int, default=SEEDS, metavar="N", help=f"runs a variant (default {SEEDS})")
    add("--epochs", type=int, default=EPOCHS, metavar="N", help=f"epochs a run (default {EPOCHS})")
    add("--jobs", type=int, default=cores, metavar="N", help="runs at a time (default: one a core)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add("--output-dir", default="YOLOX_outputs", metavar="DIR", help="where runs are kept")
    return parser
