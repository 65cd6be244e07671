"""The host's training loop on a CPU, CUDA or MPS device, leaving a record of the run."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from loguru import logger
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.tensorboard import SummaryWriter
from yolox.core import Trainer
from yolox.utils import (
    MeterBuffer,
    ModelEMA,
    WandbLogger,
    adjust_status,
    get_local_rank,
    get_rank,
    get_world_size,
    is_parallel,
    synchronize,
)

from yolox_attn import device as devices
from yolox_attn.core import record as describe
from yolox_attn.core.batches import Batches
from yolox_attn.core.checkpoint import (
    file_hash,
    load_weights,
    read_checkpoint,
    save_checkpoint,
)
from yolox_attn.errors import InputError
from yolox_attn.evaluators import adapt_evaluator
from yolox_attn.runs import METRICS_NAME, RunRecord, append_metrics, write_record, write_text

EMA_DECAY = 0.9998  # the host's


class AttentionTrainer(Trainer):  # type: ignore[misc]
    """Trains an experiment and leaves logs, checkpoints, metrics and run.json in its folder.

    The step is the host's: with attention "none" in float32 and contiguous memory it gives the same
    loss, gradients, weights and EMA, bit for bit. What differs is around it: any device, the
    latest checkpoint is written after the evaluation, and the last epoch is always evaluated.
    """

    def __init__(self, exp: Any, args: Any) -> None:
        # The host's __init__ needs CUDA and takes over the program's log: not called.
        self.exp, self.args = exp, args
        self.max_epoch = exp.max_epoch
        self.rank, self.local_rank = get_rank(), get_local_rank()
        self.is_distributed = get_world_size() > 1
        self.device = self._pick_device()
        self.precision = _precision(args)
        self.autocast_dtype = devices.precision_dtype(self.precision, self.device)
        self.memory_format = (
            torch.channels_last if getattr(exp, "channels_last", False) else torch.contiguous_format
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.use_model_ema = exp.ema
        self.save_history_ckpt = exp.save_history_ckpt
        self.input_size = exp.input_size
        self.best_ap: float | None = None
        self.meter = MeterBuffer(window_size=exp.print_interval)
        self.file_name = os.path.join(exp.output_dir, args.experiment_name)  # noqa: PTH118
        self.folder = Path(self.file_name)

    def _pick_device(self) -> torch.device:
        wanted = getattr(self.args, "device", "auto")
        if self.is_distributed and wanted in ("auto", "cuda") and torch.cuda.is_available():
            wanted = f"cuda:{self.local_rank}"
        return devices.pick_device(wanted)

    # ------------------------------------------------------------------ the run

    def train(self) -> None:
        """Run every epoch; run.json says "running" meanwhile and how it ended afterwards."""
        if self.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
        sink = logger.add(self.folder / "train_log.txt") if self.rank == 0 else None
        try:
            with self._recorded():
                self.before_train()
                self.train_in_epoch()
                self.after_train()
        finally:
            if sink is not None:
                logger.remove(sink)

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        self.record: RunRecord | None = None
        self._started = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self._write_record(state="failed", error=f"{type(error).__name__}: {error}")
            raise
        self._write_record(state="finished")

    def _write_record(self, **changes: Any) -> None:
        if self.record is None or self.rank != 0:
            return
        for key, value in changes.items():
            setattr(self.record, key, value)
        self.record.seconds = round(time.perf_counter() - self._started, 3)
        self.record.peak_memory = devices.peak_memory(self.device)
        if self.record.state != "running":
            self.record.ended = describe.now()
        write_record(self.folder, self.record)

    # ------------------------------------------------------------------ building

    def before_train(self) -> None:
        """Build model, optimiser, data, EMA, evaluator and loggers, in the host's order."""
        exp, args = self.exp, self.args
        exp.check()
        logger.info(f"{args.experiment_name} on {devices.describe(self.device)}, {self.precision}")
        logger.info(f"exp value:\n{exp}")
        devices.use(self.device)
        model = exp.get_model()
        costs = describe.describe_model(model, exp.test_size)
        logger.info(f"{costs['parameters']:,} parameters, {costs['gflops']:.2f} GFLOPs")
        model.to(self.device, memory_format=self.memory_format)
        self.optimizer = exp.get_optimizer(args.batch_size)
        self._resumed: dict[str, Any] = {}
        model = self.resume_train(model)
        self._build_data()
        if getattr(args, "occupy", False):
            devices.occupy(self.device)
        if self.is_distributed:
            ids = [self.device] if self.device.type == "cuda" else None
            model = DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)
        self._build_ema(model)
        self.model = model
        self.evaluator = adapt_evaluator(
            exp.get_evaluator(batch_size=args.batch_size, is_distributed=self.is_distributed)
        )
        self._open_loggers()
        self._start_record(costs)
        self.model.train()

    def _build_data(self) -> None:
        self.no_aug = self.start_epoch >= self.max_epoch - self.exp.no_aug_epochs
        self.train_loader = self.exp.get_data_loader(
            batch_size=self.args.batch_size,
            is_distributed=self.is_distributed,
            no_aug=self.no_aug,
            cache_img=getattr(self.args, "cache", False),
        )
        self.train_loader.pin_memory = self.device.type == "cuda"
        self.prefetcher = Batches(self.train_loader, self.device)
        self.max_iter = len(self.train_loader)  # iterations of an epoch
        lr = self.exp.basic_lr_per_img * self.args.batch_size
        self.lr_scheduler = self.exp.get_lr_scheduler(lr, self.max_iter)

    def _build_ema(self, model: nn.Module) -> None:
        if not self.use_model_ema:
            return
        self.ema_model = ModelEMA(model, EMA_DECAY)
        self.ema_model.updates = self.max_iter * self.start_epoch
        if "weights" in self._resumed:
            self.ema_model.ema.load_state_dict(self._resumed["model"])
            self.ema_model.updates = self._resumed["ema_updates"]

    def _open_loggers(self) -> None:
        if self.rank != 0:
            return
        if self.args.logger == "tensorboard":
            self.tblogger = SummaryWriter(str(self.folder / "tensorboard"))
        else:
            pairs = list(zip(self.args.opts[0::2], self.args.opts[1::2], strict=False))
            wandb = {k.removeprefix("wandb-"): v for k, v in pairs if k.startswith("wandb-")}
            self.wandb_logger = WandbLogger(config=describe.describe_config(self.exp), **wandb)

    def _start_record(self, costs: dict[str, Any]) -> None:
        exp, args = self.exp, self.args
        if self.start_epoch == 0 and self.rank == 0:
            write_text(self.folder / METRICS_NAME, "")
        pretrained = None
        if args.ckpt is not None and not args.resume:
            pretrained = {"file": str(args.ckpt), "sha256": file_hash(Path(args.ckpt))}
        channels_last = self.memory_format is torch.channels_last
        self.record = RunRecord(
            name=re.sub(r"/seed\d+$", "", args.experiment_name),
            seed=exp.seed,
            exp_file=getattr(args, "exp_file", None),
            exp_name_arg=getattr(args, "name", None),
            overrides=[str(item) for item in args.opts or []],
            attention=describe.describe_attention(exp, exp.get_model()),
            attention_init=exp.attention_init,
            config=describe.describe_config(exp),
            batch_size=args.batch_size,
            precision=self.precision,
            memory_format="channels_last" if channels_last else "contiguous",
            device=devices.describe(self.device),
            versions=describe.describe_versions(),
            data=describe.describe_data(
                exp, len(self.train_loader.dataset), len(self.evaluator.dataloader.dataset)
            ),
            pretrained=pretrained,
            started=describe.now(),
            epoch=self.start_epoch,
            **costs,
            **describe.describe_process(),
        )
        self._write_record()

    # ------------------------------------------------------------------ one step

    def train_one_iter(self) -> None:
        """One step of the host: forward, backward, SGD, EMA, learning rate."""
        start = time.time()
        images, labels = self.prefetcher.next()
        images, labels = self.exp.preprocess(images, labels, self.input_size)
        images = images.contiguous(memory_format=self.memory_format)
        fetched = time.time()
        with devices.autocast(self.device, self.autocast_dtype):
            outputs = self.model(images, labels)
        loss = outputs["total_loss"]
        self._refuse_non_finite(loss, outputs)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.use_model_ema:
            self.ema_model.update(self.model)
        lr = self.lr_scheduler.update_lr(self.progress_in_iter + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        parts = {key: _number(value) for key, value in outputs.items()}
        self._add_to_epoch(parts, len(images))
        self.meter.update(iter_time=time.time() - start, data_time=fetched - start, lr=lr, **parts)

    def _refuse_non_finite(self, loss: Tensor, outputs: dict[str, Any]) -> None:
        if torch.isfinite(loss):
            return
        parts = ", ".join(f"{key} {_number(value):g}" for key, value in outputs.items())
        raise FloatingPointError(
            f"loss of epoch {self.epoch + 1}, iteration {self.iter + 1} is not finite ({parts}); "
            "nothing was saved from it; lower basic_lr_per_img or look at the boxes"
        )

    def _add_to_epoch(self, parts: dict[str, float], images: int) -> None:
        self._epoch_images += images
        for key, value in parts.items():
            self._epoch_sums[key] = self._epoch_sums.get(key, 0.0) + value

    # ------------------------------------------------------------------ one epoch

    def before_epoch(self) -> None:
        """Start the epoch as the host does, with its losses at zero."""
        super().before_epoch()
        self._epoch_sums: dict[str, float] = {}
        self._epoch_images = 0
        self._epoch_started = time.perf_counter()

    def after_epoch(self) -> None:
        """Evaluate if it is time (always in the last epoch), then save and write the metrics."""
        seconds = time.perf_counter() - self._epoch_started
        row: dict[str, Any] = {"epoch": self.epoch + 1}
        row |= {key: total / self.max_iter for key, total in self._epoch_sums.items()}
        row |= {"lr": self.optimizer.param_groups[0]["lr"], "train_seconds": round(seconds, 3)}
        last = self.epoch + 1 == self.max_epoch
        evaluated = last or (self.epoch + 1) % self.exp.eval_interval == 0
        if evaluated:
            self.evaluate_and_save_model()
            row |= self._figures()
        self.save_ckpt("latest")
        if self.rank != 0:
            return
        loss = f"mean loss {row['total_loss']:.3f}"
        logger.info(f"epoch {self.epoch + 1}/{self.max_epoch}: {loss}, {seconds:.1f} s")
        for key, value in row.items():
            if self.args.logger == "tensorboard" and key != "epoch" and value is not None:
                self.tblogger.add_scalar(f"epoch/{key}", value, self.epoch + 1)
        append_metrics(self.folder, row)
        changes: dict[str, Any] = {"epoch": self.epoch + 1, "best_ap": self.best_ap}
        changes["images_per_second"] = round(self._epoch_images * get_world_size() / seconds, 3)
        if evaluated:
            changes["figures"] = self._figures()
            changes["class_ap"] = getattr(self.evaluator, "class_ap", {})
        self._write_record(**changes)

    def _figures(self) -> dict[str, float | None]:
        """The evaluator's figures; of a user's own evaluator only what the host returns."""
        own: dict[str, float | None] | None = getattr(self.evaluator, "figures", None)
        return dict(own) if own else {"AP": self._last_ap[0], "AP50": self._last_ap[1]}

    def evaluate_and_save_model(self) -> None:
        """Evaluate the EMA (or raw) weights and keep them as `best` when they are."""
        model = self._shown_model()
        with adjust_status(model, training=False):
            ap, ap50, summary = self.exp.eval(model, self.evaluator, self.is_distributed)
        self._last_ap = (float(ap), float(ap50))
        synchronize()
        if self.rank != 0:
            return
        better = self.best_ap is None or ap > self.best_ap
        self.best_ap = float(ap) if better else self.best_ap
        logger.info(f"AP {100 * ap:.2f}, AP50 {100 * ap50:.2f}\n{summary}")
        if self.args.logger == "wandb":
            self.wandb_logger.log_metrics({"val/AP": ap, "val/AP50": ap50, "epoch": self.epoch + 1})
        detections = getattr(self.evaluator, "detections", None)
        if detections is not None:
            write_text(self.folder / "detections.json", _json_lines(detections))
        if better:
            self.save_ckpt("best")
        if self.save_history_ckpt:
            self.save_ckpt(f"epoch_{self.epoch + 1}")

    def _shown_model(self) -> nn.Module:
        if self.use_model_ema:
            model: nn.Module = self.ema_model.ema
            return model
        return self._raw_model()

    def _raw_model(self) -> nn.Module:
        model: nn.Module = self.model.module if is_parallel(self.model) else self.model
        return model

    def after_train(self) -> None:
        """Say how it ended and close the loggers."""
        best = "none evaluated" if self.best_ap is None else f"{100 * self.best_ap:.2f}"
        logger.info(f"training is done; best AP {best}; {self.folder}")
        if self.rank == 0:
            if self.args.logger == "tensorboard":
                self.tblogger.close()
            else:
                self.wandb_logger.finish()

    # ------------------------------------------------------------------ checkpoints

    def save_ckpt(self, ckpt_name: str, update_best_ckpt: bool = False) -> None:  # noqa: FBT001, FBT002
        """Write `<ckpt_name>_ckpt.pth`, readable by the stock YOLOX as well.

        `model` holds the EMA weights, `weights` the raw ones that training goes on from.
        """
        if self.rank != 0:
            return
        state = {
            "start_epoch": self.epoch + 1,
            "model": self._shown_model().state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_ap": self.best_ap or 0.0,
            "weights": self._raw_model().state_dict(),
            "ema_updates": self.ema_model.updates if self.use_model_ema else 0,
            "scaler": self.scaler.state_dict(),
        }
        path = self.folder / f"{ckpt_name}_ckpt.pth"
        save_checkpoint(state, path)
        if self.args.logger == "wandb":
            self.wandb_logger.save_checkpoint(self.file_name, ckpt_name, update_best_ckpt)

    def resume_train(self, model: nn.Module) -> nn.Module:
        """Load what -c and --resume ask for; sets `start_epoch`."""
        self.start_epoch = 0
        if self.args.resume:
            self._resume(model)
        elif self.args.ckpt is not None:
            init = self.exp.attention_init
            logger.info(load_weights(model, Path(self.args.ckpt), attention_init=init))
        return model

    def _resume(self, model: nn.Module) -> None:
        path = Path(self.args.ckpt or self.folder / "latest_ckpt.pth")
        state = read_checkpoint(path, self.device)
        if "optimizer" not in state:
            raise InputError(f"{path} holds weights only; to start from them drop --resume")
        try:
            model.load_state_dict(state.get("weights", state["model"]))
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path} does not continue this experiment: {reason}") from error
        if "scaler" in state:
            self.scaler.load_state_dict(state["scaler"])
        self._resumed = state
        self.best_ap = float(state.get("best_ap", 0.0))
        given = self.args.start_epoch
        self.start_epoch = given - 1 if given is not None else state["start_epoch"]
        logger.info(f"resumed {path} after epoch {self.start_epoch}")


def _precision(args: Any) -> str:
    if getattr(args, "fp16", False):
        return "fp16"
    return "bf16" if getattr(args, "bf16", False) else "fp32"


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)


def _json_lines(detections: list[dict[str, Any]]) -> str:
    import json

    return "[\n" + ",\n".join(json.dumps(each) for each in detections) + "\n]\n"
