"""The start of a run's record: what was configured, built and fed to it."""

import datetime
import os
import platform
import re
import sys
import uuid
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from loguru import logger
from torch import nn
from torch.utils.data import DataLoader

from yolox_attn import __version__, cost
from yolox_attn import device as devices
from yolox_attn.coco.annotations import ANNOTATIONS
from yolox_attn.core.prepare import coco_sets
from yolox_attn.data.coco_folder import fingerprint
from yolox_attn.errors import InputError
from yolox_attn.models import ATTENTION_PREFIX, place
from yolox_attn.models.placement import name_of
from yolox_attn.runs import RunRecord, file_hash, read_metrics, read_record

if TYPE_CHECKING:
    from yolox_attn.core.trainer import AttentionTrainer

PACKAGES = ("torch", "torchvision", "numpy", "yolox", "pycocotools")


def now() -> str:
    """Return the time, with its zone, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def describe_config(exp: object) -> dict[str, Any]:
    """Return every public setting of `exp` in JSON's types; a callable as "module:qualname"."""
    hidden = {"model", "optimizer", "dataset"}
    return {
        key: plain(value)
        for key, value in sorted(vars(exp).items())
        if not key.startswith("_") and key not in hidden
    }


def plain(value: Any) -> Any:
    """Return a setting in JSON's types; a callable by its name, any other object by its type's."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return name_of(value)
    return type(value).__qualname__  # a repr may hold an address, and differ from run to run


def describe_attention(exp: Any, model: nn.Module) -> dict[str, Any]:
    """Return level -> block, options and the names and shapes of the parameters really built."""
    described = {}
    for placement in place(exp.attention, exp.attention_options, tuple(exp.attention_levels)):
        prefix = f"{ATTENTION_PREFIX}{placement.level}."
        described[placement.level] = {
            "block": placement.name,
            "options": plain(placement.options),
            "parameters": {
                name.removeprefix(prefix): list(parameter.shape)
                for name, parameter in model.named_parameters()
                if name.startswith(prefix)
            },
        }
    return described


def describe_data(exp: Any, train: DataLoader[Any], val: DataLoader[Any]) -> dict[str, Any]:
    """Return which data the loaders give; hashes are None where they are no COCO files."""
    described: dict[str, Any] = {
        "dir": plain(exp.data_dir),
        "classes": exp.num_classes,
        "train_images": len(train.dataset),  # type: ignore[arg-type]
        "val_images": len(val.dataset),  # type: ignore[arg-type]
    }
    sets = coco_sets(train, val) or (None, None)
    for split, images in zip(("train", "val"), sets, strict=True):
        name, folder, files = getattr(exp, f"{split}_ann"), exp.data_dir or "", None
        if images is not None:  # where data_dir is None YOLOX has looked for the folder itself
            described["dir"] = folder = str(images.data_dir)
            categories = images.coco.loadCats(images.class_ids)
            described["class_names"] = [category["name"] for category in categories]
            name = images.json_file
            names = (each[3] for each in images.annotations)
            files = fingerprint(Path(folder, images.name), names)
        path = Path(folder, ANNOTATIONS, name)
        described[f"{split}_ann"] = name
        described[f"{split}_sha256"] = file_hash(path) if path.is_file() else None
        described[f"{split}_files"] = files
    return described


def describe_versions() -> dict[str, str]:
    """Return the versions that decide a run's numbers."""
    versions = {"python": platform.python_version(), "yolox_attn": __version__}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return versions


def describe_model(model: nn.Module, test_size: tuple[int, int]) -> dict[str, Any]:
    """Return parameter counts and GFLOPs of one image at `test_size`, inference and training."""
    parameters = list(model.parameters())
    return {
        "parameters": sum(p.numel() for p in parameters),
        "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
        "gflops": cost.flops(model, test_size) / 1e9,
        "gflops_training": cost.flops(model, test_size, training=True) / 1e9,
    }


def first_record(trainer: "AttentionTrainer") -> RunRecord:
    """Return the record of a run about to start or to go on.

    A run that goes on keeps what its record had: the start, the time spent, the last evaluation.
    """
    exp, options = trainer.exp, trainer.options
    channels_last = trainer.memory_format is torch.channels_last
    pretrained = None
    if path := options.pretrained:
        pretrained = {"file": str(path.absolute()), "sha256": file_hash(path)}
    exp_file = Path(options.exp_file).resolve() if options.exp_file else None
    optimised = [each for group in trainer.optimizer.param_groups for each in group["params"]]
    record = RunRecord(
        name=re.sub(r"/seed\d+$", "", options.experiment_name),
        seed=trainer.seed,
        pid=os.getpid(),
        run_id=uuid.uuid4().hex,
        command=list(sys.argv),
        exp_file=None if exp_file is None else str(exp_file),
        exp_sha256=None if exp_file is None else file_hash(exp_file),
        sources=dict(trainer.sources),
        exp_name_arg=options.exp_name,
        overrides=list(options.overrides),
        attention=describe_attention(exp, exp.get_model()),
        attention_init=exp.attention_init,
        config=_from_anywhere(describe_config(exp), "data_dir", "output_dir"),
        batch_size=options.batch_size,
        accumulate=trainer.accumulate,
        processes=trainer.processes,
        precision=trainer.precision,
        memory_format="channels_last" if channels_last else "contiguous",
        deterministic=options.deterministic,
        device=devices.describe(trainer.device),
        cpu=trainer.environment["cpu"],
        host=platform.node(),
        threads=torch.get_num_threads(),
        versions=describe_versions(),
        data=_from_anywhere(trainer.data, "dir"),
        repairs=dict(trainer.repairs),
        pretrained=pretrained,
        started=now(),
        epoch=trainer.start_epoch,
        best_ap=trainer.best_ap,
        optimised_parameters=sum(parameter.numel() for parameter in optimised),
        **trainer.costs,
    )
    if options.resume:
        _carry_over(record, trainer)
    return record


def _from_anywhere(values: Mapping[str, Any], *folders: str) -> dict[str, Any]:
    """Return `values` with whole paths: who reads a record is somewhere else."""
    paths = {key: values.get(key) for key in folders}
    return {**values, **{key: str(Path(path).absolute()) for key, path in paths.items() if path}}


def _carry_over(record: RunRecord, trainer: "AttentionTrainer") -> None:
    """Add what the record of the continued run says, and that it was continued."""
    place = {"epoch": trainer.start_epoch, "iteration": trainer.start_iter, "exact": trainer.exact}
    checkpoint = trainer.options.checkpoint
    folder = trainer.folder if checkpoint is None else checkpoint.parent
    try:
        old = read_record(folder)
        rows = read_metrics(folder)
    except InputError as error:  # a stock run has none
        logger.warning(f"nothing to carry over into the run's record: {error}")
        record.resumed = [{"at": now(), **place}]
        return
    record.resumed = [*old.resumed, {"at": now(), **place}]
    record.started, record.seconds, record.pretrained = old.started, old.seconds, old.pretrained
    record.labels_cut, record.run_id = old.labels_cut, old.run_id or record.run_id
    if old.epoch <= trainer.start_epoch:
        record.metrics, record.class_ap = old.metrics, old.class_ap
        if trainer.out_of_patience():  # with more patience than before it goes on
            record.stopped_early = old.stopped_early
        record.images_per_second = old.images_per_second
        return
    # The checkpoint is older than the record: the metrics are those of the last row it knows.
    known = [row for row in rows if row["epoch"] <= trainer.start_epoch and "AP" in row]
    record.metrics = {key: known[-1].get(key) for key in old.metrics} if known else {}
