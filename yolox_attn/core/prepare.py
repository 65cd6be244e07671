"""What a run needs before its first step: where it goes on from, its seed, data that are sound."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from loguru import logger
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from yolox.utils import get_rank, get_world_size

from yolox_attn import device as devices
from yolox_attn.coco.results import EVALUATION_NAME
from yolox_attn.console import count
from yolox_attn.core.checkpoint import (
    BEST_NAME,
    LATEST_NAME,
    newest_checkpoint,
    read_resumable,
)
from yolox_attn.core.distributed import on_rank_zero
from yolox_attn.core.options import TrainOptions
from yolox_attn.core.wandb_board import WANDB_NAME
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor import examine_splits
from yolox_attn.data.sampler import make_exact
from yolox_attn.errors import InputError
from yolox_attn.runs import (
    DETECTIONS_NAME,
    METRICS_NAME,
    RECORD_NAME,
    file_hash,
    held,
    read_record,
    replacing,
)
from yolox_attn.runs.folder import TRAINING, is_mine, set_aside
from yolox_attn.runs.metrics import set_damaged_aside

CHECKPOINTS = "*_ckpt.pth"
# What torch and we raise on a state that is not what it should be.
UNFITTING = (RuntimeError, ValueError, LookupError, TypeError, AttributeError)


def without_start(options: TrainOptions, folder: Path) -> TrainOptions:
    """Return the options of a run that goes on, without the weights that it once began with.

    A command with -c, given again with --resume, goes on from the run's own newest checkpoint; any
    other -c names the checkpoint to go on from, as YOLOX has it.
    """
    given = options.checkpoint
    if not options.resume or given is None:
        return options
    try:
        start = read_record(folder).pretrained or {}
    except InputError:  # no run there yet, or a stock one
        return options
    there = given.is_file()  # it may have been cleared away since: then its name must do
    if there and start.get("sha256") != file_hash(given):
        return options
    if not there and start.get("file") not in (str(given), str(given.absolute())):
        return options
    logger.info(f"-c {given}: what this run began with; it goes on from its own checkpoint")
    return replace(options, checkpoint=None)


def read_resumed(options: TrainOptions, folder: Path, device: torch.device) -> dict[str, Any]:
    """Return the checkpoint to go on from, its file under "path"; {} for a fresh start."""
    if not options.resume:
        return {}
    if options.checkpoint is None:
        path, state = newest_checkpoint(folder, device)
    else:
        path = options.checkpoint
        state = read_resumable(path, device)
    return {**state, "path": path}


def refuse_folder(options: TrainOptions, folder: Path) -> None:
    """Refuse to start over another run's files.

    Raises:
        InputError: the folder holds a run that is neither resumed nor to be overwritten, another
            process is training there, or --overwrite would remove what -c names.
    """
    if options.overwrite:
        given = None if options.checkpoint is None else options.checkpoint.resolve()
        if given in [path.resolve() for path in _old_files(folder)]:
            raise InputError(
                f"-c {options.checkpoint}: --overwrite removes it; copy it elsewhere first"
            )
        return
    if options.resume and _source(options, folder) is None:
        return
    if held(folder) and not is_mine(folder):
        raise InputError(f"{folder}: {TRAINING}")
    if checkpoints := sorted(path.name for path in folder.glob(CHECKPOINTS)):
        run = f"{folder} holds a run ({_describe_run(folder, checkpoints)})"
        if options.resume:
            raise InputError(
                f"{run}, and -c {options.checkpoint} is neither its checkpoint nor what it began "
                "with: drop -c to go on with the run, -expn NAME to go on from that file elsewhere"
            )
        raise InputError(
            f"{run}: --resume goes on with it, --overwrite starts anew, -expn NAME keeps both"
        )


def make_room(options: TrainOptions, folder: Path) -> None:
    """Check once more, now that the folder is ours; then clear it, or copy a resumed run's files.

    Raises:
        InputError: as `refuse_folder`.
    """
    refuse_folder(options, folder)
    if options.overwrite:
        for path in _old_files(folder):
            path.unlink(missing_ok=True)
    if options.resume:
        _set_damaged_aside(folder)
    source = _source(options, folder)
    if source is not None and (source / RECORD_NAME).is_file():
        for name in (METRICS_NAME, BEST_NAME):
            if (source / name).is_file():
                with replacing(folder / name) as file:
                    file.write((source / name).read_bytes())


def _set_damaged_aside(folder: Path) -> None:
    """A file beside the checkpoints never blocks a run that goes on: what is damaged is kept."""
    if warning := set_damaged_aside(folder):
        logger.warning(warning)
    record = folder / RECORD_NAME
    if not (record.exists() or record.is_symlink()):
        return
    try:
        epochs = read_record(folder).epoch
    except (InputError, OSError) as error:
        logger.warning(f"{error}: kept as {set_aside(record).name}, and begun anew")
    else:
        if epochs and not (folder / METRICS_NAME).exists():
            logger.warning(f"{METRICS_NAME} is gone: the rows of {count(epochs, 'epoch')} are lost")


def _old_files(folder: Path) -> list[Path]:
    """Return what a run left in `folder` and a new one would mix with: all but its log."""
    patterns = [CHECKPOINTS, RECORD_NAME, METRICS_NAME, DETECTIONS_NAME, "tensorboard/events.*"]
    patterns += [WANDB_NAME, f"eval_*/{EVALUATION_NAME}", f"eval_*/{DETECTIONS_NAME}"]
    return [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]


def _describe_run(folder: Path, checkpoints: list[str]) -> str:
    """Return "latest_ckpt.pth, epoch 3", without the epoch where no record says it."""
    name = LATEST_NAME if LATEST_NAME in checkpoints else checkpoints[0]
    try:
        return f"{name}, epoch {read_record(folder).epoch}"
    except InputError:  # a stock run's folder, or a record that cannot be read
        return name


def _source(options: TrainOptions, folder: Path) -> Path | None:
    """Return the other folder that a run is resumed from, if there is one."""
    if not options.resume or options.checkpoint is None:
        return None
    elsewhere = options.checkpoint.resolve().parent != folder.resolve()
    return options.checkpoint.parent if elsewhere else None


def choose_seed(given: int | None, state: dict[str, Any]) -> int:
    """Return the seed given, else the resumed run's, else a fresh one, the same on all ranks."""
    if given is None:
        given = state.get("protocol", {}).get("seed")
    return on_rank_zero(lambda: secrets.randbelow(2**31)) if given is None else given


def load_resumed(model: nn.Module, optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load weights and optimiser of the checkpoint to go on from; {} for a fresh start.

    Raises:
        InputError: the file holds another model.
    """
    if not state:
        return
    try:
        model.load_state_dict(state.get("weights", state["model"]))
        optimizer.load_state_dict(state["optimizer"])
    except UNFITTING as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{state['path']} does not continue this experiment: {reason}") from error


def training_loader(exp: Any, options: TrainOptions, device: torch.device, *, no_aug: bool) -> Any:
    """Return the Exp's loader with numbered batches, or as it is where that cannot be done.

    `no_aug` says that the run goes on in the epochs without mosaic.
    """
    loader = exp.get_data_loader(
        batch_size=options.batch_size,
        is_distributed=get_world_size() > 1,
        no_aug=no_aug,
        cache_img=options.cache,
    )
    exact = make_exact(
        loader, options.batch_size, seed=exp.seed, rank=get_rank(), ranks=get_world_size()
    )
    if exact is None:
        logger.warning(
            "this Exp's data loader is none of YOLOX's kind: the seed does not fix its order, and "
            "--resume will not be exact"
        )
    loader = exact or loader
    loader.pin_memory = devices.pins_memory(device)
    return loader


def coco_sets(
    train: DataLoader[Any], val: DataLoader[Any]
) -> tuple[CocoDetection, CocoDetection] | None:
    """Return the two loaders' image sets; None if they are of a user's own kind."""
    # Of the loader's wrappers, the one that seeds samples is outside, YOLOX's mosaic inside.
    images = getattr(getattr(train.dataset, "dataset", train.dataset), "_dataset", None)
    judged = val.dataset
    if isinstance(images, CocoDetection) and isinstance(judged, CocoDetection):
        return images, judged
    return None


def examine_data(train: DataLoader[Any], val: DataLoader[Any], exp: Any) -> dict[str, int]:
    """Let the data doctor look at both splits; return what was repaired in memory, by kind.

    Data sets of a user's own kind are not looked at.

    Raises:
        InputError: a fault by which training or evaluation would fail, or be wrong.
    """
    sets = coco_sets(train, val)
    if sets is None:
        logger.info("the data doctor knows COCO sets alone: this one was not examined")
        return {}
    limit = getattr(exp, "max_labels", None)
    splits = dict(zip(("train", "val"), sets, strict=True))
    report = examine_splits(splits, num_classes=exp.num_classes, max_labels=limit)
    report.refuse()
    for finding in report.warnings:
        logger.warning(f"data doctor: {finding.line}")
    for finding in report.repairs:
        logger.info(f"data doctor, repaired in memory: {finding.line}")
    return {f"{each.split} {each.code}": each.count for each in report.repairs}
