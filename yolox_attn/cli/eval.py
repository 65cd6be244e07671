"""`eval`: judge a checkpoint by COCO's metrics, on any device."""

import argparse
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from loguru import logger
from yolox.utils import get_world_size, is_main_process

from yolox_attn import device as devices
from yolox_attn.cli import report_errors
from yolox_attn.cli.common import (
    add_experiment_options,
    configure,
    given_settings,
    name_run,
    parse,
    precision_of,
    prepare_process,
    run_in_processes,
)
from yolox_attn.coco.results import write_evaluation
from yolox_attn.console import count, echo
from yolox_attn.core.checkpoint import BEST_NAME, LATEST_NAME
from yolox_attn.core.describe import describe_config
from yolox_attn.core.launch import launched, process_group
from yolox_attn.core.sources import changed_sources
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, load_exp
from yolox_attn.exp.evaluation import Conditions, Evaluation, evaluate_checkpoint, time_forward
from yolox_attn.exp.evaluation_folder import (
    Source,
    annotations_of,
    folder_name,
    refuse_other,
    runs_below,
    settings_of,
    split_of,
)
from yolox_attn.exp.rebuild import OF_THE_PLACE, exp_of, restore, same_experiment
from yolox_attn.runs import RECORD_NAME, read_record
from yolox_attn.runs.protocol import differences, listed
from yolox_attn.seed import seed_everything

ALARMING = ("this run", "changed")
ENDED_BADLY = {"failed": "failed", "interrupted": "was interrupted", "killed": "was killed"}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser: YOLOX's flags under their names, and ours."""
    parser = argparse.ArgumentParser(
        "eval",
        usage="eval RUN_FOLDER [options] [key value ...]\n       "
        "eval (-f FILE | -n NAME) [options] [key value ...]",
        description="Judge a checkpoint by COCO's metrics. RUN_FOLDER is a run that `train` made: "
        "experiment, data and sizes are read from its run.json.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--conf", type=float, metavar="P", help="lowest confidence; default: the Exp's test_conf")
    add("--nms", type=float, metavar="IOU", help="NMS threshold; default: the Exp's nmsthre")
    add("--tsize", type=int, metavar="N", help="images N x N; default: the Exp's test_size")
    add("--fuse", action="store_true", help="fuse convolutions with their BatchNorm")
    add("--test", action="store_true", help="the test split instead of the validation split")
    add("--legacy", action="store_true", help="normalise images as YOLOX before 0.2 did")
    add("--speed", action="store_true", help="only time the forward pass of one image of noise")
    add("--trt", action="store_true", help=argparse.SUPPRESS)
    output = "results; default: eval_val in the run's folder, or eval_val_ and what differs"
    add("--output", type=Path, metavar="DIR", help=output)
    add_experiment_options(parser)
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Evaluate, print and write the metrics; returns the exit code."""
    args = parse(make_parser(), argv)
    if args.trt:
        raise InputError(
            "--trt: TensorRT is not supported; use --fuse, with --fp16 on a CUDA device"
        )
    exp, source, notes = find_experiment(args)
    how = conditions_of(args)
    first = os.environ.get("RANK", "0") == "0"
    checkpoint = None if args.speed else checkpoint_of(source, args)
    folder, settings = Path(), dict[str, Any]()
    if checkpoint is not None and first:
        folder, settings = destination(exp, source, checkpoint, how, args)
    if (code := run_in_processes("eval", args, argv)) is not None:
        return code
    prepare_process()
    for note in notes if first else ():
        logger.warning(note) if note.startswith(ALARMING) else logger.info(note)
    with process_group(how.device, args.dist_backend):
        devices.use(how.device)
        if exp.seed is not None:
            seed_everything(exp.seed)
        if checkpoint is None:
            text = speed(exp, args, how)
        else:
            result = judge(exp, checkpoint, how)
            text = written(exp, args, how, result, folder, settings) if first else ""
        if is_main_process():
            echo(text)
    return 0


def find_experiment(args: argparse.Namespace) -> tuple[AttentionExp, Source, list[str]]:
    """Return the experiment, the run that it is of, and what it has from where, in lines.

    What the arguments say wins, then the run's record, then the Exp file.

    Raises:
        InputError: no experiment is named, or the run's cannot be built again.
    """
    precision_of(args)
    if args.exp_file is None and args.name is None:
        source = Source(folder := named_folder(args), read_record(folder))
        exp = rebuilt(source, args)
        args.experiment_name = str(folder)
    else:
        refuse_folder_word(args)
        exp = load_exp(args.exp_file, args.name)
        source = source_of(exp, args)
    notes = as_the_run(exp, source, given_settings(args))
    configure(exp, args)
    set_thresholds(exp, args)
    return exp, source, [*notes, *asked_for(exp, source, given_settings(args))]


def rebuilt(source: Source, args: argparse.Namespace) -> AttentionExp:
    """Return the run's experiment of its own Exp file.

    Raises:
        InputError: it is not there as the run had it; says how to name it.
    """
    record = source.record
    assert record is not None
    try:
        return exp_of(record)
    except InputError as error:
        checkpoint = args.ckpt or source.folder / BEST_NAME
        raise InputError(
            f"{error}; if another file is the run's experiment: -f FILE -c {checkpoint}"
        ) from error


def as_the_run(exp: AttentionExp, source: Source, given: Collection[str]) -> list[str]:
    """Give `exp` the run's settings, but for those that are `given`; say what that changed.

    Raises:
        InputError: as `restore`.
    """
    record = source.record
    if record is None:
        return []
    notes = []
    if record.state in ENDED_BADLY:
        notes.append(f"this run {ENDED_BADLY[record.state]} after {count(record.epoch, 'epoch')}")
    if changed := changed_sources(record.sources):
        notes.append(f"changed since the run was made: {', '.join(changed)}")
    if restored := restore(exp, record, given):
        notes.append(f"as {source.folder / RECORD_NAME} says: {', '.join(restored)}")
    return notes


def asked_for(exp: AttentionExp, source: Source, given: Collection[str]) -> list[str]:
    """Say in what the evaluation differs from the run because the command line says so."""
    compared = {*given} - OF_THE_PLACE
    ours, theirs = (
        {key: value for key, value in config.items() if key in compared}
        for config in (describe_config(exp), source.config if source.record else {})
    )
    if source.record is None:
        return []
    asked = listed(differences(theirs, ours), "{key} {second} (the run's is {first})")
    return [f"as asked for: {', '.join(asked)}"] if asked else []


def named_folder(args: argparse.Namespace) -> Path:
    """Return the run folder that stands before the overrides, and take it from them.

    With --seed K a folder of seeds names its run seedK.

    Raises:
        InputError: there is none, or it holds no run; where its seeds are runs, they are named.
    """
    if len(args.opts) % 2 == 0:
        raise InputError("which run? give RUN_FOLDER, or -f exps/yolox_s_cam.py, or -n yolox-s-cam")
    if args.experiment_name is not None:
        raise InputError(f"-expn {args.experiment_name}: RUN_FOLDER names the run; drop -expn")
    folder = Path(args.opts.pop(0))
    if not folder.is_dir():
        raise InputError(f"{folder}: no such run folder")
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


def conditions_of(args: argparse.Namespace) -> Conditions:
    """Return the conditions that the flags ask for.

    Raises:
        InputError: there is no such device, it has no such precision, or the batch is empty.
    """
    if args.batch_size < 1:
        raise InputError(f"-b {args.batch_size}: at least 1")
    how = Conditions(
        device=devices.pick_device(args.device),
        precision=precision_of(args),
        batch_size=args.batch_size,
        test=args.test,
        legacy=args.legacy,
        fuse=args.fuse,
    )
    devices.precision_dtype(how.precision, how.device)
    if args.speed and (launched() or args.devices not in (None, 1)):
        raise InputError("--speed times one process; drop -d and torchrun")
    return how


def checkpoint_of(source: Source, args: argparse.Namespace) -> Path:
    """Return the file that -c names, else the best of the run.

    Raises:
        InputError: there is none.
    """
    checkpoint = Path(args.ckpt) if args.ckpt else source.folder / BEST_NAME
    if checkpoint.is_file():
        return checkpoint
    advice = "" if args.ckpt else "; train the experiment first, or give -c FILE"
    if not args.ckpt and (latest := source.folder / LATEST_NAME).is_file():
        advice = f"; the run has not been evaluated yet: -c {latest}, or go on with --resume"
    if not args.ckpt and (runs := runs_below(source.folder)):
        advice = f"; runs in that folder: {', '.join(runs)}: give --seed, or the run's folder alone"
    raise InputError(f"no checkpoint {checkpoint}{advice}")


def destination(
    exp: AttentionExp, source: Source, checkpoint: Path, how: Conditions, args: argparse.Namespace
) -> tuple[Path, dict[str, Any]]:
    """Return the folder of the results, and what the numbers in it depend on.

    Raises:
        InputError: the folder holds something else.
    """
    given = given_settings(args)
    truth = annotations_of(exp, how)
    if truth is not None and not truth.is_file():
        which = f"these data have no {split_of(how)} split" if truth.parent.is_dir() else "no data"
        raise InputError(f"{which}: no file {truth}; give --data DIR")
    folder = args.output or source.folder / folder_name(exp, source, checkpoint, how, given)
    settings = settings_of(exp, checkpoint, how, given)
    refuse_other(folder, settings)
    return folder, settings


def judge(exp: AttentionExp, checkpoint: Path, how: Conditions) -> Evaluation:
    """Evaluate the checkpoint."""
    if is_main_process():
        logger.info(f"evaluating {checkpoint} on {split_of(how)} ...")
    return evaluate_checkpoint(exp, checkpoint, how)


def written(  # noqa: PLR0913
    exp: AttentionExp,
    args: argparse.Namespace,
    how: Conditions,
    result: Evaluation,
    folder: Path,
    settings: dict[str, Any],
) -> str:
    """Write the results and return the summary, beginning with what was evaluated and how."""
    data_dir = None if exp.data_dir is None else str(Path(exp.data_dir).absolute())
    report = {
        "experiment": args.experiment_name,
        **settings,
        "data_dir": data_dir,  # known now also where the Exp finds it by itself
        "device": devices.describe(how.device),
        "batch_size": how.batch_size,
        "processes": get_world_size(),
        "timing": result.timing,
        "metrics": result.metrics,
        "class_ap": result.class_ap,
    }
    files = write_evaluation(folder, result.detections, report)
    height, width = exp.test_size
    images = "" if result.images is None else f"{count(result.images, 'image')} of "
    heading = (
        f"{settings['checkpoint']['file']}: {split_of(how)} split "
        f"({images}{settings['annotations']} in {data_dir}) at {height}x{width}, {how.precision}, "
        f"on {report['device']}"
    )
    return f"{heading}\n{result.summary}written: {', '.join(map(str, files))}"


def speed(exp: AttentionExp, args: argparse.Namespace, how: Conditions) -> str:
    """Time the forward pass and return the line to print."""
    taken = time_forward(exp, Path(args.ckpt) if args.ckpt else None, how)
    height, width = exp.test_size
    return (
        f"forward of one {height} x {width} image on {devices.describe(how.device)}, "
        f"{how.precision}: median {taken.median_ms:.2f} ms, "
        f"80 % between {taken.low_ms:.2f} and {taken.high_ms:.2f} ms"
    )
