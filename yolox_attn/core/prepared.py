"""A trainer up to its first step: everything checked and built, nothing written."""

import math
from pathlib import Path
from typing import Any

import torch
from loguru import logger
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from yolox.core import Trainer
from yolox.utils import (
    MeterBuffer,
    ModelEMA,
    get_local_rank,
    get_rank,
    get_world_size,
    is_parallel,
)

from yolox_attn import device as devices
from yolox_attn.core import prepare
from yolox_attn.core import record as describe
from yolox_attn.core.batches import Batches
from yolox_attn.core.checkpoint import file_hash
from yolox_attn.core.journal import Journal
from yolox_attn.core.plan import Plan, check_schedule
from yolox_attn.core.ranks import on_rank_zero
from yolox_attn.core.resume import check_resume, describe_environment, describe_protocol
from yolox_attn.core.saving import Saver
from yolox_attn.core.state import Progress, restore_training
from yolox_attn.core.stop import StopRequest
from yolox_attn.data.exact import ExactBatches
from yolox_attn.evaluators import adapt_evaluator
from yolox_attn.models.freeze import hold
from yolox_attn.seed import derive, seed_everything

EMA_DECAY = 0.9998  # the host's


class PreparedTrainer(Trainer):  # type: ignore[misc]
    """The host's trainer with `before_train` of our own; `AttentionTrainer` adds the loop.

    `args` is the command line, ours or the host's own tool's.
    """

    def __init__(self, exp: Any, args: Any) -> None:
        # The host's __init__ needs CUDA and takes over the program's log: not called.
        self.exp, self.args = exp, args
        self.max_epoch = exp.max_epoch
        self.rank, self.local_rank = get_rank(), get_local_rank()
        self.processes = get_world_size()
        self.is_distributed = self.processes > 1
        # The host's own train tool has no --device, and none of our other flags.
        self.device = devices.pick_device(getattr(args, "device", "auto"))
        self.precision = describe.precision_of(args)
        self.autocast_dtype = devices.precision_dtype(self.precision, self.device)
        self.accumulate = getattr(args, "accumulate", 1)  # batches a step
        self.deterministic = getattr(args, "deterministic", False)
        self.memory_format = torch.channels_last if exp.channels_last else torch.contiguous_format
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.use_model_ema = exp.ema
        self.save_history_ckpt = exp.save_history_ckpt
        self.input_size = exp.input_size
        self.best_ap: float | None = None
        self.progress = Progress()
        self.meter = MeterBuffer(window_size=exp.print_interval)
        self.folder = Path(exp.output_dir, args.experiment_name)
        self.file_name = str(self.folder)
        self.journal = Journal(self.folder, self.rank, self.device)
        self.stop = StopRequest(quiet=self.rank != 0)
        self.saver = Saver(
            self,
            steps=getattr(args, "save_steps", None),
            minutes=getattr(args, "save_minutes", None),
        )

    def before_train(self) -> None:
        """Check everything; build model, optimiser, data, EMA and evaluator."""
        exp, args = self.exp, self.args
        exp.check()
        check_schedule(exp.max_epoch, exp.warmup_epochs, exp.no_aug_epochs)
        devices.use(self.device)
        state = prepare.read_resumed(args, self.folder, self.device)
        on_rank_zero(lambda: prepare.refuse_folder(args, self.folder))
        self.seed = exp.seed = prepare.choose_seed(exp.seed, state)
        seed_everything(self.seed)
        if cost := devices.set_determinism(self.deterministic, self.device):
            logger.info(cost)
        model = exp.get_model()
        self.costs = describe.describe_model(model, exp.test_size)
        model.to(self.device, memory_format=self.memory_format)
        self.optimizer = exp.get_optimizer(args.batch_size * self.accumulate)
        prepare.load_pretrained(model, args, exp.attention_init)
        self.start_epoch, self.start_iter = state.get("start_epoch", 0), state.get("start_iter", 0)
        self.exact = True
        if args.start_epoch is not None:
            self._start_at_epoch(args.start_epoch - 1)
        self._build_data()
        self._describe(state)
        # Only now: of another run it is told what differs, not that its tensors do not fit.
        prepare.load_resumed(model, self.optimizer, state)
        if getattr(args, "occupy", False):
            devices.occupy(self.device)
        self._wrap(model, state)
        self.model.train()
        hold(self.raw_model(), exp.freeze)

    def _build_data(self) -> None:
        exp, args = self.exp, self.args
        no_aug = self.start_epoch >= exp.max_epoch - exp.no_aug_epochs
        self.train_loader = prepare.training_loader(exp, args, self.device, no_aug=no_aug)
        self.exact = self.exact and self.samples_exactly()
        self.max_iter = math.ceil(len(self.train_loader) / self.accumulate)  # steps an epoch
        self.plan = Plan(
            exp.max_epoch,
            exp.warmup_epochs,
            exp.no_aug_epochs,
            self.max_iter,
            eval_interval=exp.eval_interval,
            mosaic=exp.mosaic_prob > 0,
        )
        lr = exp.basic_lr_per_img * args.batch_size * self.accumulate
        self.lr_scheduler = exp.get_lr_scheduler(lr, self.max_iter)
        self.evaluator = adapt_evaluator(
            exp.get_evaluator(batch_size=args.batch_size, is_distributed=self.is_distributed)
        )
        self.repairs: dict[str, int] = {}
        if not getattr(args, "skip_doctor", False):
            loaders = self.train_loader, self.evaluator.dataloader
            self.repairs = on_rank_zero(lambda: prepare.examine_data(*loaders, exp))

    def _describe(self, state: dict[str, Any]) -> None:
        """Say what this run is, and refuse to go on with another."""
        images = len(self.train_loader.dataset), len(self.evaluator.dataloader.dataset)
        self.data = describe.describe_data(self.exp, *images)
        self.data |= prepare.fingerprints(self.train_loader, self.evaluator.dataloader)
        self.protocol = describe_protocol(
            self.exp,
            seed=self.seed,
            batch_size=self.args.batch_size,
            accumulate=self.accumulate,
            processes=self.processes,
            precision=self.precision,
            data=self.data,
        )
        file = self.args.exp_file  # what a method does is no setting, but it is the experiment
        self.protocol["Exp file"] = file_hash(Path(file)) if file else None
        self.environment = describe_environment(self.device, torch.get_num_threads())
        if state:
            insist = getattr(self.args, "resume_anyway", False)
            exact = check_resume(
                state, self.protocol, self.environment, path=state["path"], insist=insist
            )
            self.exact = self.exact and exact
            if insist and not exact:  # its steps may be others than those counted
                self._start_at_epoch(self.start_epoch)

    def _start_at_epoch(self, done: int) -> None:
        self.start_epoch, self.start_iter, self.exact = done, 0, False

    def _wrap(self, model: nn.Module, state: dict[str, Any]) -> None:
        """Add what stands around the model, and take up what the resumed run had of it."""
        if self.is_distributed:
            ids = [self.device] if self.device.index is not None else None
            model = DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)
        self.model = model
        if self.use_model_ema:
            self.ema_model = ModelEMA(model, EMA_DECAY)
            self.ema_model.updates = self.max_iter * self.start_epoch
        # Each rank has streams of its own from here on: dropout must differ between ranks.
        seed_everything(derive(self.seed, "training", self.rank))
        self._start_loading()
        if state:
            restore_training(self, state)
        if self.start_iter == 0:
            self.progress.next_epoch()

    def _start_loading(self) -> None:
        sampler = self.train_loader.batch_sampler
        if isinstance(sampler, ExactBatches):
            plain = self.plan.first_plain_epoch
            sampler.mosaic_batches = plain * self.max_iter * self.accumulate
            sampler.start = (self.start_epoch * self.max_iter + self.start_iter) * self.accumulate
        self.prefetcher = Batches(self.train_loader, self.device)

    def shown_model(self) -> nn.Module:
        """Return the model that is evaluated: the EMA where there is one."""
        model: nn.Module = self.ema_model.ema if self.use_model_ema else self.raw_model()
        return model

    def raw_model(self) -> nn.Module:
        """Return the model that is trained, without what DDP puts around it."""
        around: Any = self.model
        model: nn.Module = around.module if is_parallel(around) else around
        return model

    def models(self) -> list[nn.Module]:
        """Return the raw model, and the EMA where there is one."""
        return [self.raw_model(), self.ema_model.ema] if self.use_model_ema else [self.raw_model()]

    def samples_exactly(self) -> bool:
        """Tell whether batches are numbered, and so known from the seed."""
        return isinstance(self.train_loader.batch_sampler, ExactBatches)
