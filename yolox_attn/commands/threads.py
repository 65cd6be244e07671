"""How many CPU threads a run gets: as told, as the run had, or as measured."""

import argparse
import os
from pathlib import Path

import torch

from yolox_attn.commands.common import build_exp
from yolox_attn.commands.processes import process_options
from yolox_attn.console import progress
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp
from yolox_attn.launched import launched
from yolox_attn.machine import usable_cores
from yolox_attn.names import AUTO
from yolox_attn.runs import read_record
from yolox_attn.study.timing import step_seconds

VARIABLE = "OMP_NUM_THREADS"  # the ranks of a run inherit it
BUDGET = 2.0  # seconds for each number that is tried


def set_threads(args: argparse.Namespace, exp: AttentionExp) -> None:
    """Put into OMP_NUM_THREADS what --threads says; without it, what a resumed run had.

    The number decides the last bits of a run, so a run that goes on keeps its own, whatever is the
    fastest now; `auto` measures for a new one.

    Raises:
        InputError: as the trainer's, where a run that is to be measured cannot work.
    """
    if launched():  # set by the process that launched this one
        return
    had = _threads_of(Path(exp.output_dir, args.experiment_name)) if args.resume else None
    if args.threads not in (None, AUTO):
        os.environ[VARIABLE] = str(args.threads)
    elif had is not None and (args.threads == AUTO or VARIABLE not in os.environ):
        os.environ[VARIABLE] = str(had)
    elif args.threads == AUTO:
        os.environ[VARIABLE] = str(_fastest(args))


def _threads_of(folder: Path) -> int | None:
    try:
        return read_record(folder).threads
    except InputError:  # the trainer says what is wrong with it
        return None


def _fastest(args: argparse.Namespace) -> int:
    """Return the number of threads whose steps take least, of 1, 2, 4 ... and all cores."""
    most = max(usable_cores() // process_options(args).here, 1)
    tried = sorted({most, *(2**power for power in range(most.bit_length()))})
    exp = build_exp(argparse.Namespace(**vars(args)))
    trainer = exp.get_trainer(args)
    trainer.before_train()  # writes nothing
    trainer.epoch = trainer.iter = 0
    seconds = {}
    for threads in tried:
        torch.set_num_threads(threads)
        step_seconds(trainer, exp.input_size, 0)  # warms up
        seconds[threads] = step_seconds(trainer, exp.input_size, BUDGET)
    trainer.prefetcher.close()
    best: int = min(seconds, key=lambda threads: seconds[threads])
    measured = ", ".join(f"{threads}: {taken:.3f} s" for threads, taken in seconds.items())
    progress(f"--threads auto: {best} (a step with {measured})")
    return best
