"""The commands: `yolox-attn NAME ...`, which is also what the doors tools/NAME.py open.

Each command is the module yolox_attn.cli.NAME with `main(argv) -> int`. It is imported only when
it is called for, after the cheap checks of what is installed.
"""

import argparse
import functools
import os
import sys
from collections.abc import Callable
from importlib import import_module

from yolox_attn import __version__
from yolox_attn.errors import InputError
from yolox_attn.requirements import check_requirements

COMMANDS = {
    "train": "train an experiment",
    "eval": "judge a checkpoint by COCO's figures",
    "doctor": "examine a data set before anything is trained on it",
    "compare": "put finished runs beside a baseline",
    "demo": "train, evaluate and compare on a set drawn by the package",
}

# Idle OpenMP threads sleep instead of spinning: on a shared CPU training is several times faster.
# It must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

Main = Callable[[list[str] | None], int]


def report_errors(main: Main) -> Main:
    """Make `main` tell the user's mistakes in one line on stderr and return 2; Ctrl-C returns 130.

    Any other error is a fault of the program and keeps its traceback.
    """

    @functools.wraps(main)
    def reporting(argv: list[str] | None = None) -> int:
        try:
            return main(argv)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the one place that tells it
            return 2
        except KeyboardInterrupt:
            print("stopped by Ctrl-C", file=sys.stderr)  # noqa: T201
            return 130

    return reporting


def run(name: str, argv: list[str] | None = None) -> int:
    """Run the command `name` with `argv`, by default the words behind the script's name."""

    @report_errors
    def checked(argv: list[str] | None) -> int:
        check_requirements()
        main: Main = import_module(f"yolox_attn.cli.{name}").main
        return main(argv)

    return checked(argv)


def main(argv: list[str] | None = None) -> int:
    """The console script `yolox-attn`: the first word is the command, the rest is its own."""
    listing = "\n".join(f"  {name:<9} {does}" for name, does in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="yolox-attn",
        description="Does this attention block help my YOLOX detector, or is it noise?",
        epilog=f"commands:\n{listing}\n\n`yolox-attn COMMAND --help` tells the rest.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="yolox-attn [-h] [--version] COMMAND ...",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "command", choices=COMMANDS, metavar="|".join(COMMANDS), help=argparse.SUPPRESS
    )
    words = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(words[:1])
    return run(args.command, words[1:])
