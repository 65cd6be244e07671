"""The commands: `yolox-attn NAME ...`, which is also what the entry points tools/NAME.py call.

Each command is the module yolox_attn.cli.NAME with `main(argv) -> int`. It is imported only when
it is called for, after the cheap checks of what is installed.
"""

import argparse
import errno
import functools
import os
import sys
from collections.abc import Callable
from importlib import import_module

from yolox_attn import __version__
from yolox_attn.console import as_line, echo, silenced, write_anywhere
from yolox_attn.errors import Ending, InputError, Interrupted
from yolox_attn.launched import end_with_launcher, launched, leave_last
from yolox_attn.requirements import check_requirements

COMMANDS = {
    "train": "train an experiment",
    "eval": "judge a checkpoint by COCO's metrics",
    "fetch_weights": "fetch YOLOX's published weights",
    "export": "write a trained detector as ONNX or OpenVINO, and compare the two",
    "detect": "draw and list what a trained detector finds",
    "convert": "write a Pascal VOC, YOLO or Roboflow set in COCO layout",
    "doctor": "examine a data set before anything is trained on it",
    "compare": "compare finished runs with a baseline",
    "study": "plan, run and judge variants over several seeds",
    "demo": "train, evaluate and compare on a set drawn by the package",
}

# What the system says when the user must make room, or leave to write: no fault of the program.
UNWRITABLE = {
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EIO,
}
BROKEN_PIPE = 141  # as a shell says of a program that SIGPIPE has ended

Main = Callable[[list[str] | None], int]


def report_errors(main: Main) -> Main:
    """Make `main` say in one line on stderr what needs no traceback, and return its exit code.

    2 for the user's mistakes and for a disk that is full or may not be written, 1 for training gone
    wrong, `Interrupted.CODE` for a run that was asked to stop and saved, 130 for Ctrl-C elsewhere,
    141 where nobody reads any further. Any other error is a fault of the program and keeps its
    traceback.
    """

    @functools.wraps(main)
    def reporting(argv: list[str] | None = None) -> int:
        try:
            code = main(argv)
            sys.stdout.flush()
            return code
        except Ending as error:
            return _end(error)
        except KeyboardInterrupt:
            return _fail("stopped by Ctrl-C", 130)
        except BrokenPipeError:  # whoever reads has seen enough, as `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            where = f"{error.filename}: " if error.filename else ""
            return _fail(f"error: {where}{error.strerror}", 2)

    return reporting


def _end(error: Ending) -> int:
    code = 2 if isinstance(error, InputError) else 1
    message = f"error: {error}"
    if isinstance(error, Interrupted):
        code, message = Interrupted.CODE, str(error)
    return code if error.already_reported else _fail(message, code)


def _fail(message: str, code: int) -> int:
    rank = f"[rank {os.environ['RANK']}] " if "RANK" in os.environ else ""
    # A file's name may hold what moves the cursor or breaks the line.
    with silenced(sys.stderr):
        echo(f"{rank}{as_line(message)}", err=True)
    return code


def run(name: str, argv: list[str] | None = None) -> int:
    """Run the command `name` with `argv`, by default the words behind the script's name."""
    write_anywhere()
    code = 1  # also of what is not foreseen
    if launched():
        leave_last(lambda: code)

    @report_errors
    def checked(argv: list[str] | None) -> int:
        if launched():
            end_with_launcher()
        check_requirements()
        main: Main = import_module(f"yolox_attn.cli.{name}").main
        return main(argv)

    try:
        code = checked(argv)
    except SystemExit as end:  # argparse's own
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    return code


def main(argv: list[str] | None = None) -> int:
    """The console script `yolox-attn`: the first word is the command, the rest is its own."""
    listing = "\n".join(f"  {name:<13} {does}" for name, does in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="yolox-attn",
        description="Does this attention block help my YOLOX detector, or is it noise?",
        epilog=f"commands:\n{listing}\n\n`yolox-attn COMMAND --help` says the rest.",
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
