"""The run that a command line means: by its folder, or by -f and -n, and the experiment it had."""

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from yolox_attn.commands.common import configure, given_settings, name_run
from yolox_attn.console import count
from yolox_attn.core.checkpoint import BEST_NAME
from yolox_attn.core.describe import describe_config
from yolox_attn.core.sources import changed_sources
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, load_exp
from yolox_attn.exp.evaluation_folder import Source, runs_below
from yolox_attn.exp.rebuild import OF_THE_PLACE, exp_of, restore, same_experiment
from yolox_attn.runs import RECORD_NAME, RunRecord, read_record
from yolox_attn.runs.protocol import differences, listed

ENDED_BADLY = {"failed": "failed", "interrupted": "was interrupted", "killed": "was killed"}


@dataclass(frozen=True)
class FoundRun:
    """An experiment as it is to be evaluated, and the run that it is of.

    Args:
        warnings: what speaks against the run; notes: what the experiment has from where.
    """

    exp: AttentionExp
    source: Source
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def log(self) -> None:
        """Say warnings and notes, when the log is set up."""
        for line in self.warnings:
            logger.warning(line)
        for line in self.notes:
            logger.info(line)


def find_run(args: argparse.Namespace) -> FoundRun:
    """Return the run and its experiment; fills in `args.experiment_name`.

    What the arguments say wins, then the run's record, then the Exp file.

    Raises:
        InputError: no experiment is named, or the run's cannot be built again.
    """
    if args.exp_file is None and args.name is None:
        folder = named_folder(args)
        record = read_record(folder)
        exp, source = rebuilt(record, args.ckpt or folder / BEST_NAME), Source(folder, record)
        args.experiment_name = str(folder)
    else:
        refuse_folder_word(args)
        exp = load_exp(args.exp_file, args.name)
        source = source_of(exp, args)
    given, known = given_settings(args), source.record
    restored = restore(exp, known, given) if known else []
    configure(exp, args)
    set_thresholds(exp, args)
    if known is None:
        return FoundRun(exp, source)
    where = source.folder / RECORD_NAME
    notes = [f"as {where} says: {', '.join(restored)}"] if restored else []
    notes += asked_for(exp, known, given)
    return FoundRun(exp, source, tuple(against(known)), tuple(notes))


def rebuilt(record: RunRecord, checkpoint: str | Path) -> AttentionExp:
    """Return the run's experiment of its own Exp file.

    Raises:
        InputError: it is not there as the run had it; says how to name it.
    """
    try:
        return exp_of(record)
    except InputError as error:
        raise InputError(
            f"{error}; if another file is the run's experiment: -f FILE -c {checkpoint}"
        ) from error


def against(record: RunRecord) -> list[str]:
    """Return what speaks against the run: that it did not end well, or has been changed since."""
    found = []
    if record.state in ENDED_BADLY:
        found.append(f"this run {ENDED_BADLY[record.state]} after {count(record.epoch, 'epoch')}")
    if changed := changed_sources(record.sources):
        found.append(f"changed since the run was made: {', '.join(changed)}")
    return found


def asked_for(exp: AttentionExp, record: RunRecord, given: Collection[str]) -> list[str]:
    """Say in what the evaluation differs from the run because the command line says so."""
    compared = {*given} - OF_THE_PLACE
    theirs, ours = (
        {key: value for key, value in config.items() if key in compared}
        for config in (record.config, describe_config(exp))
    )
    asked = listed(differences(theirs, ours), "{key} {second} (the run's is {first})")
    return [f"as asked for: {', '.join(asked)}"] if asked else []


def named_folder(args: argparse.Namespace) -> Path:
    """Return the run folder that stands before the overrides, and take it from them.

    Without one it is the folder that -c names or that its file lies in. With --seed K a folder of
    seeds names its run seedK.

    Raises:
        InputError: there is none, or it holds no run; where its seeds are runs, they are named.
    """
    if len(args.opts) % 2 == 0:
        args.opts.insert(0, str(folder_of_checkpoint(args)))
    if args.experiment_name is not None:
        raise InputError(f"-expn {args.experiment_name}: RUN_FOLDER names the run; drop -expn")
    folder = Path(args.opts.pop(0))
    seeded = folder / f"seed{args.seed}"
    if args.seed is not None and (seeded / RECORD_NAME).is_file():
        return seeded
    if (folder / RECORD_NAME).is_file():
        seed = read_record(folder).seed
        if args.seed not in (None, seed):
            raise InputError(f"--seed {args.seed}: {folder} is the run of seed {seed}")
        return folder
    seeds = runs_below(folder)
    hint = f"; runs in it: {', '.join(seeds)}" if seeds else ""
    raise InputError(f"{folder}: not a run folder, it has no {RECORD_NAME}{hint}")


def folder_of_checkpoint(args: argparse.Namespace) -> Path:
    """Return the run folder that -c means, and take it from there if it is no file.

    Raises:
        InputError: the file lies in no run.
    """
    path = Path(args.ckpt)
    if path.is_dir():
        args.ckpt = None
        return path
    if not (path.parent / RECORD_NAME).is_file():
        raise InputError(
            f"-c {path}: it lies in no run folder; give its experiment, by -f FILE or -n NAME"
        )
    return path.parent


def refuse_folder_word(args: argparse.Namespace) -> None:
    """Refuse a run folder next to -f or -n.

    Raises:
        InputError: there is one.
    """
    for word in args.opts[:1]:
        if len(args.opts) % 2 and Path(word, RECORD_NAME).is_file():
            flag = "-f" if args.exp_file is not None else "-n"
            raise InputError(f"{word} and {flag}: give RUN_FOLDER or the experiment, not both")


def source_of(exp: AttentionExp, args: argparse.Namespace) -> Source:
    """Return the run that the checkpoint is of: of -c the one next to it, else the experiment's.

    What lies next to -c is its run only if -f or -n names that run's experiment. With -expn results
    go to the folder of that name, whatever is evaluated.
    """
    own, named = describe_config(exp), args.experiment_name is not None
    folder = name_run(exp, args)
    beside = folder if args.ckpt is None else Path(args.ckpt).parent
    if not (beside / RECORD_NAME).is_file():
        return Source(folder, own=own)
    record = read_record(beside)
    if args.ckpt is not None and not same_experiment(record, args.exp_file, args.name):
        return Source(folder, own=own)
    return Source(folder if named else beside, record)


def set_thresholds(exp: AttentionExp, args: argparse.Namespace) -> None:
    """Let --conf, --nms and --tsize replace what the Exp says.

    Raises:
        InputError: a threshold outside 0 to 1, or a size that the network cannot take.
    """
    for flag, attribute in (("conf", "test_conf"), ("nms", "nmsthre")):
        value = getattr(args, flag)
        if value is None:
            continue
        if not 0 <= value <= 1:
            raise InputError(f"--{flag} {value}: must be from 0 to 1")
        setattr(exp, attribute, value)
    if args.tsize is not None:
        if args.tsize < 32 or args.tsize % 32:
            raise InputError(f"--tsize {args.tsize}: must be a multiple of 32, at least 32")
        exp.test_size = (args.tsize, args.tsize)
