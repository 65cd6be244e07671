"""How many CPU threads a training gets: as given, as the run had, or as measured."""

import argparse
import os
from pathlib import Path

from yolox_attn.commands.common import precision_of
from yolox_attn.commands.processes import process_options
from yolox_attn.console import progress
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp
from yolox_attn.exp.image_size import size_overrides
from yolox_attn.launched import LAUNCHER, launched
from yolox_attn.machine import usable_cores
from yolox_attn.names import AUTO
from yolox_attn.runs import read_record

VARIABLE = "OMP_NUM_THREADS"  # the ranks of a run inherit it
THREADS_A_CORE = 8  # more is a mistake


def set_threads(args: argparse.Namespace, exp: AttentionExp) -> None:
    """Put into OMP_NUM_THREADS what --threads says; without it, what a resumed run had.

    The number is that of each process. It decides the last bits of a run, so a run that goes on
    keeps its own, whatever is the fastest now; `auto` measures for a new one. torchrun sets the
    number by itself: there --threads N alone changes it.

    Raises:
        InputError: too many; nothing can be measured here; a run that is to be measured cannot
            work.
    """
    if LAUNCHER in os.environ:  # set by the process that launched this one
        return
    most = THREADS_A_CORE * usable_cores()
    if args.threads not in (None, AUTO):
        if args.threads > most:
            raise InputError(f"--threads {args.threads}: at most {most}, {THREADS_A_CORE} a core")
        os.environ[VARIABLE] = str(args.threads)
        return
    had = _threads_of_resumed(args, exp)
    if had is not None and (args.threads == AUTO or VARIABLE not in os.environ):
        os.environ[VARIABLE] = str(had)
    elif args.threads == AUTO:
        if launched() or process_options(args).machines > 1:
            raise InputError("--threads auto: on one machine and without torchrun; give a number")
        os.environ[VARIABLE] = str(_fastest(args, exp))


def _threads_of_resumed(args: argparse.Namespace, exp: AttentionExp) -> int | None:
    """Return the number that the run to go on with had; None of a new one, or if it is too large.

    On a machine of fewer cores the run would crawl, and its bits are others by its processor.
    """
    if not args.resume:
        return None
    output = Path(exp.output_dir, args.experiment_name)
    try:
        had = read_record(Path(args.ckpt).parent if args.ckpt else output).threads
    except InputError:  # the trainer says what is wrong with it
        return None
    return had if had <= usable_cores() else None


def _fastest(args: argparse.Namespace, exp: AttentionExp) -> int:
    """Return the number of threads whose steps take least, of 1, 2, 4 ... and all cores.

    As many processes as the run will have are timed side by side, each with its share of a batch.

    Raises:
        InputError: none of them works; why the first one does not.
    """
    from yolox_attn.study.plan import PlannedVariant, Training  # heavy, and seldom asked for
    from yolox_attn.study.probe import Probe, probe

    ranks = process_options(args).here
    most = max(usable_cores() // ranks, 1)
    sized = () if args.size is None else size_overrides(exp, args.size, args.opts[0::2])
    variant = PlannedVariant("", "baseline", args.exp_file, args.name)
    seconds: dict[int, float] = {}
    for threads in sorted({most, *(2**power for power in range(most.bit_length()))}):
        training = Training(
            data=args.data,
            batch_size=max(args.batch_size // ranks, 1),
            accumulate=args.accumulate,
            precision=precision_of(args),
            checkpoint=args.ckpt,
            threads=threads,
            overrides=(*sized, *map(str, args.opts)),
        )
        progress(f"--threads auto: timing a step with {threads} ...")
        timed = probe(variant, training, "val", args.device, ranks)
        if isinstance(timed, Probe):
            seconds[threads] = timed.step
        elif not seconds:
            raise InputError(f"--threads auto: {timed}")
    best: int = min(seconds, key=lambda threads: seconds[threads])
    measured = ", ".join(f"{threads}: {taken:.3f} s" for threads, taken in seconds.items())
    progress(f"--threads auto: {best} (a step with {measured})")
    return best
