"""The host's training loop on a CPU, CUDA or MPS device, leaving a record of the run."""

import time
from pathlib import Path
from typing import Any

import torch
from loguru import logger
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from yolox.core import Trainer
from yolox.utils import (
    MeterBuffer,
    ModelEMA,
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
from yolox_attn.core.checkpoint import load_weights, read_resumable, save_checkpoint
from yolox_attn.core.journal import Journal
from yolox_attn.errors import InputError
from yolox_attn.evaluators import adapt_evaluator

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
        # The host's own train tool has no --device.
        self.device = devices.pick_device(getattr(args, "device", "auto"))
        self.precision = describe.precision_of(args)
        self.autocast_dtype = devices.precision_dtype(self.precision, self.device)
        self.memory_format = torch.channels_last if exp.channels_last else torch.contiguous_format
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.use_model_ema = exp.ema
        self.save_history_ckpt = exp.save_history_ckpt
        self.input_size = exp.input_size
        self.best_ap: float | None = None
        self.meter = MeterBuffer(window_size=exp.print_interval)
        self.folder = Path(exp.output_dir, args.experiment_name)
        self.file_name = str(self.folder)
        self.journal = Journal(self.folder, self.rank, self.device)

    def train(self) -> None:
        """Run every epoch; run.json says "running" meanwhile and how it ended afterwards."""
        with self.journal.open():
            super().train()

    # ---- before the first epoch, in the host's order

    def before_train(self) -> None:
        """Build model, optimiser, data, EMA and evaluator; start the record."""
        exp, args = self.exp, self.args
        exp.check()
        logger.info(f"{args.experiment_name} on {devices.describe(self.device)}, {self.precision}")
        logger.debug(f"exp value:\n{exp}")
        devices.use(self.device)
        model = exp.get_model()
        costs = describe.describe_model(model, exp.test_size)
        logger.info(f"{costs['parameters']:,} parameters, {costs['gflops']:.2f} GFLOPs")
        model.to(self.device, memory_format=self.memory_format)
        self.optimizer = exp.get_optimizer(args.batch_size)
        model = self.resume_train(model)
        self._build_data()
        if getattr(args, "occupy", False):
            devices.occupy(self.device)
        if self.is_distributed:
            ids = [self.device] if self.device.index is not None else None
            model = DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)
        self._build_ema(model)
        self.model = model
        self.evaluator = adapt_evaluator(
            exp.get_evaluator(batch_size=args.batch_size, is_distributed=self.is_distributed)
        )
        record = describe.first_record(self, costs)
        self.journal.start(record, args.logger, describe.wandb_options(args.opts or []))
        self.model.train()

    def _build_data(self) -> None:
        self.no_aug = self.start_epoch >= self.max_epoch - self.exp.no_aug_epochs
        self.train_loader = self.exp.get_data_loader(
            batch_size=self.args.batch_size,
            is_distributed=self.is_distributed,
            no_aug=self.no_aug,
            cache_img=self.args.cache,
        )
        self.train_loader.pin_memory = devices.pins_memory(self.device)
        self.prefetcher = Batches(self.train_loader, self.device)
        self.max_iter = len(self.train_loader)  # iterations of an epoch
        lr = self.exp.basic_lr_per_img * self.args.batch_size
        self.lr_scheduler = self.exp.get_lr_scheduler(lr, self.max_iter)

    def _build_ema(self, model: nn.Module) -> None:
        if not self.use_model_ema:
            return
        self.ema_model = ModelEMA(model, EMA_DECAY)
        self.ema_model.updates = self.max_iter * self.start_epoch
        if "weights" in self.resumed:
            self.ema_model.ema.load_state_dict(self.resumed["model"])
            self.ema_model.updates = self.resumed["ema_updates"]

    def resume_train(self, model: nn.Module) -> nn.Module:
        """Load what -c and --resume ask for; sets `start_epoch`."""
        args = self.args
        self.start_epoch = 0
        self.resumed: dict[str, Any] = {}
        if args.resume:
            self._resume(model, Path(args.ckpt or self.folder / "latest_ckpt.pth"))
        elif args.ckpt is not None:
            init = self.exp.attention_init
            logger.info(load_weights(model, Path(args.ckpt), attention_init=init))
        return model

    def _resume(self, model: nn.Module, path: Path) -> None:
        state = self.resumed = read_resumable(path, self.device)
        try:
            model.load_state_dict(state.get("weights", state["model"]))
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} does not continue this experiment: {reason}") from error
        self.scaler.load_state_dict(state.get("scaler") or self.scaler.state_dict())
        self.best_ap = float(state.get("best_ap", 0.0))
        first = self.args.start_epoch
        self.start_epoch = state["start_epoch"] if first is None else first - 1
        logger.info(f"resumed {path} after epoch {self.start_epoch}")

    # ---- one step

    def train_one_iter(self) -> None:
        """One step of the host: forward, backward, SGD, EMA, learning rate."""
        start = time.time()
        images, labels = self.prefetcher.next()
        images, labels = self.exp.preprocess(images, labels, self.input_size)
        images = images.contiguous(memory_format=self.memory_format)
        fetched = time.time()
        outputs = self._forward(images, labels)
        loss = outputs["total_loss"]
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
        for key, value in parts.items():
            self._epoch_sums[key] = self._epoch_sums.get(key, 0.0) + value
        self.meter.update(iter_time=time.time() - start, data_time=fetched - start, lr=lr, **parts)

    def _forward(self, images: Tensor, labels: Tensor) -> dict[str, Any]:
        """Return the losses; a loss or weights that are not finite stop the run by name."""
        where = f"epoch {self.epoch + 1}, iteration {self.iter + 1}"
        advice = "nothing was saved from it; lower basic_lr_per_img or look at the boxes"
        try:
            with devices.autocast(self.device, self.autocast_dtype):
                outputs: dict[str, Any] = self.model(images, labels)
        except RuntimeError as error:  # the host's label assignment falls over a NaN by itself
            if all(p.isfinite().all() for p in self.model.parameters()):
                raise
            raise FloatingPointError(f"{where}: weights are not finite; {advice}") from error
        if not torch.isfinite(outputs["total_loss"]):
            parts = ", ".join(f"{key} {_number(value):g}" for key, value in outputs.items())
            raise FloatingPointError(f"{where}: loss is not finite ({parts}); {advice}")
        return outputs

    # ---- one epoch

    def before_epoch(self) -> None:
        """Start the epoch as the host does, with its losses at zero."""
        super().before_epoch()
        self._epoch_sums: dict[str, float] = {}
        self._epoch_started = time.perf_counter()

    def after_epoch(self) -> None:
        """Evaluate if it is time (always in the last epoch), then save and write the metrics."""
        seconds = time.perf_counter() - self._epoch_started
        row: dict[str, Any] = {"epoch": self.epoch + 1}
        row |= {key: total / self.max_iter for key, total in self._epoch_sums.items()}
        row |= {"lr": self.optimizer.param_groups[0]["lr"], "train_seconds": round(seconds, 3)}
        logger.info(
            f"epoch {self.epoch + 1}/{self.max_epoch}: "
            f"mean loss {row['total_loss']:.3f}, {seconds:.1f} s"
        )
        changes: dict[str, Any] = {}
        last = self.epoch + 1 == self.max_epoch
        if last or (self.epoch + 1) % self.exp.eval_interval == 0:
            self.evaluate_and_save_model()
            changes["figures"] = self.figures
            changes["class_ap"] = getattr(self.evaluator, "class_ap", {})
        self.save_ckpt("latest")
        images = self.max_iter * self.args.batch_size
        changes |= {"best_ap": self.best_ap, "images_per_second": round(images / seconds, 3)}
        self.journal.epoch(row | changes.get("figures", {}), **changes)

    def evaluate_and_save_model(self) -> None:
        """Evaluate the EMA (or raw) weights and keep them as `best` when they are."""
        model = self._shown_model()
        with adjust_status(model, training=False):
            ap, ap50, summary = self.exp.eval(model, self.evaluator, self.is_distributed)
        synchronize()
        # A user's own evaluator returns what the host asks for: two figures.
        own = getattr(self.evaluator, "figures", None)
        self.figures: dict[str, float | None] = own or {"AP": float(ap), "AP50": float(ap50)}
        better = self.best_ap is None or ap > self.best_ap
        self.best_ap = float(ap) if better else self.best_ap
        logger.info(f"AP {100 * ap:.2f}, AP50 {100 * ap50:.2f}\n{summary}")
        self.journal.detections(getattr(self.evaluator, "detections", []))
        if better:
            self.save_ckpt("best")
        if self.save_history_ckpt:
            self.save_ckpt(f"epoch_{self.epoch + 1}")

    def after_train(self) -> None:
        """Say how it ended."""
        best = "none evaluated" if self.best_ap is None else f"{100 * self.best_ap:.2f}"
        logger.info(f"best AP {best}; {self.folder}")

    # ---- checkpoints

    def _shown_model(self) -> nn.Module:
        model: nn.Module = self.ema_model.ema if self.use_model_ema else self._raw_model()
        return model

    def _raw_model(self) -> nn.Module:
        model: nn.Module = self.model.module if is_parallel(self.model) else self.model
        return model

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
        save_checkpoint(state, self.folder / f"{ckpt_name}_ckpt.pth")
        if self.journal.wandb is not None:
            self.journal.wandb.save_checkpoint(self.file_name, ckpt_name, update_best_ckpt)


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)
