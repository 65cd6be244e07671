"""A trainer up to its first step: everything checked and built, nothing written."""

import math
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from loguru import logger
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from yolox.core import Trainer
from yolox.utils import (
    MeterBuffer,
    get_local_rank,
    get_rank,
    get_world_size,
    is_parallel,
)

from yolox_attn import device as devices
from yolox_attn.core import describe, prepare
from yolox_attn.core.batches import Batches
from yolox_attn.core.boards import NoStepLogger, check_board
from yolox_attn.core.class_names import is_of_other_classes
from yolox_attn.core.distributed import on_rank_zero
from yolox_attn.core.ema import build_ema
from yolox_attn.core.options import TrainOptions, train_options
from yolox_attn.core.resume import check_resume, describe_environment
from yolox_attn.core.run_log import RunLog
from yolox_attn.core.schedule import Schedule, check_schedule
from yolox_attn.core.sources import sources_beside
from yolox_attn.core.state import Progress, Saver, restore_training
from yolox_attn.core.weights import load_weights
from yolox_attn.data.sampler import ExactBatches
from yolox_attn.errors import InputError
from yolox_attn.evaluators import adapt_evaluator
from yolox_attn.models.freeze import freeze_batchnorm
from yolox_attn.runs import file_hash
from yolox_attn.runs.protocol import IMPORTED, resume_protocol
from yolox_attn.seed import derive, seed_everything
from yolox_attn.signals import StopRequest


class PreparedTrainer(Trainer):  # type: ignore[misc]
    """YOLOX's trainer with `before_train` of our own; `AttentionTrainer` adds the loop.

    `args` is the command line, ours or YOLOX's own tool's, or the options themselves.
    """

    wandb_logger = NoStepLogger()  # where YOLOX looks for wandb

    def __init__(self, exp: Any, args: Namespace | TrainOptions) -> None:
        # YOLOX's __init__ needs CUDA and takes over the program's log: not called.
        self.exp, self.args = exp, args
        given = args if isinstance(args, TrainOptions) else train_options(args)
        self.folder = Path(exp.output_dir, given.experiment_name)
        self.options = options = prepare.without_start(given, self.folder)
        self.max_epoch = exp.max_epoch
        self.rank, self.local_rank = get_rank(), get_local_rank()
        self.processes = get_world_size()
        self.is_distributed = self.processes > 1
        self.device = devices.pick_device(options.device)
        self.precision = options.precision
        self.autocast_dtype = devices.precision_dtype(self.precision, self.device)
        self.accumulate = options.accumulate  # batches a step
        self.memory_format = torch.channels_last if exp.channels_last else torch.contiguous_format
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.use_model_ema = exp.ema
        self.save_history_ckpt = exp.save_history_ckpt
        self.input_size = exp.input_size
        self.best_ap: float | None = None
        self.progress = Progress()
        self.meter = MeterBuffer(window_size=exp.print_interval)
        self.file_name = str(self.folder)
        self.run_log = RunLog(self.folder, self.rank, self.device)
        self.stop = StopRequest(quiet=self.rank != 0)
        self.saver = Saver(self, steps=options.save_steps, minutes=options.save_minutes)

    def before_train(self) -> None:
        """Check everything; build model, optimiser, data, EMA and evaluator."""
        exp, options = self.exp, self.options
        exp.check()
        check_schedule(exp.max_epoch, exp.warmup_epochs, exp.no_aug_epochs)
        devices.use(self.device)
        on_rank_zero(lambda: check_board(options.logger, options.wandb))
        state = prepare.read_resumed(options, self.folder, self.device)
        on_rank_zero(lambda: prepare.refuse_folder(options, self.folder))
        self.seed = exp.seed = prepare.choose_seed(exp.seed, state)
        seed_everything(self.seed)
        if price := devices.set_determinism(options.deterministic, self.device):
            logger.info(price)
        model = exp.get_model()
        self.costs = describe.describe_model(model, exp.test_size)
        model.to(self.device, memory_format=self.memory_format)
        self.optimizer = exp.get_optimizer(options.batch_size * self.accumulate)
        self.start_can_be_judged = False  # whether the weights can be judged before any training
        if path := options.pretrained:
            other = is_of_other_classes(path, exp)
            loaded = load_weights(
                model, path, attention_init=exp.attention_init, other_classes=other
            )
            logger.info(str(loaded))
            unspoiled = not loaded.attention or exp.attention_init == "identity"
            drawn = loaded.classes + loaded.missing + loaded.reshaped
            self.start_can_be_judged = unspoiled and not drawn
        self.start_epoch, self.start_iter = state.get("start_epoch", 0), state.get("start_iter", 0)
        self.exact = True
        if options.start_epoch is not None:
            self._start_at_epoch(options.start_epoch - 1)
        self._build_data()
        self._describe(state)
        if self.start_epoch > exp.max_epoch:
            raise InputError(
                f"{state['path']} is after epoch {self.start_epoch}, max_epoch is {exp.max_epoch}"
            )
        # Only now: another run is refused for what differs, not because its tensors do not fit.
        prepare.load_resumed(model, self.optimizer, state)
        if options.occupy and (remark := devices.occupy(self.device)) and self.rank == 0:
            logger.warning(remark)
        self._wrap(model, state)
        self.model.train()
        out_of_place(self.raw_model())
        freeze_batchnorm(self.raw_model(), exp.freeze)

    def _build_data(self) -> None:
        exp, options = self.exp, self.options
        no_aug = self.start_epoch >= exp.max_epoch - exp.no_aug_epochs
        self.train_loader = prepare.training_loader(exp, options, self.device, no_aug=no_aug)
        self.exact = self.exact and self.batches_are_numbered()
        self.max_iter = math.ceil(len(self.train_loader) / self.accumulate)  # steps an epoch
        if self.start_iter > self.max_iter:
            raise InputError(
                f"the checkpoint is after step {self.start_iter} of an epoch of {self.max_iter}"
            )
        self.schedule = Schedule(
            exp.max_epoch,
            exp.warmup_epochs,
            exp.no_aug_epochs,
            self.max_iter,
            eval_interval=exp.eval_interval,
            mosaic=exp.mosaic_prob > 0,
        )
        lr = exp.basic_lr_per_img * options.batch_size * self.accumulate
        self.lr_scheduler = exp.get_lr_scheduler(lr, self.max_iter)
        self.evaluator = adapt_evaluator(
            exp.get_evaluator(batch_size=options.batch_size, is_distributed=self.is_distributed)
        )
        self.repairs: dict[str, int] = {}
        if not options.skip_doctor:
            loaders = self.train_loader, self.evaluator.dataloader
            self.repairs = on_rank_zero(lambda: prepare.examine_data(*loaders, exp))

    def _describe(self, state: dict[str, Any]) -> None:
        """Describe this run, and refuse to go on with another."""
        loaders = self.train_loader, self.evaluator.dataloader
        self.data = describe.describe_data(self.exp, *loaders)
        facts = {
            "seed": self.seed,
            "batch_size": self.options.batch_size,
            "accumulate": self.accumulate,
            "processes": self.processes,
            "precision": self.precision,
        }
        self.protocol = resume_protocol(describe.describe_config(self.exp), self.data, facts)
        file = self.options.exp_file  # what a method does is no setting, but it is the experiment
        self.protocol["Exp file"] = file_hash(Path(file)) if file else None
        self.sources = sources_beside(Path(file) if file else None)
        self.protocol |= {
            f"{IMPORTED}{Path(path).name}": value for path, value in self.sources.items()
        }
        self.environment = describe_environment(self.device, torch.get_num_threads())
        if state:
            insist = self.options.resume_anyway
            exact = check_resume(
                state, self.protocol, self.environment, path=state["path"], insist=insist
            )
            self.exact = self.exact and exact
            if insist and not exact:  # its steps may be others than those counted
                self._start_at_epoch(self.start_epoch)

    def _start_at_epoch(self, done: int) -> None:
        self.start_epoch, self.start_iter, self.exact = done, 0, False

    def _wrap(self, model: nn.Module, state: dict[str, Any]) -> None:
        """Add DDP and EMA, seed this rank's streams, start loading; restore a resumed run's."""
        if self.is_distributed:
            ids = [self.device] if self.device.index is not None else None
            model = DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)
        self.model = model
        if self.use_model_ema:
            self.ema_model = build_ema(self.exp, model)
            self.ema_model.updates = self.max_iter * self.start_epoch
        # Each rank has streams of its own from here on: dropout must differ between ranks.
        seed_everything(derive(self.seed, "training", self.rank))
        self._start_loading()
        if state:
            try:
                restore_training(self, state)
            except prepare.UNFITTING as error:
                reason = " ".join(str(error).split())[:200]
                raise InputError(f"{state['path']}: damaged (its state: {reason})") from error
        if self.start_iter == 0:
            self.progress.next_epoch()

    def _start_loading(self) -> None:
        sampler = self.train_loader.batch_sampler
        if isinstance(sampler, ExactBatches):
            plain = self.schedule.first_no_mosaic_epoch
            sampler.mosaic_batches = plain * self.max_iter * self.accumulate
            sampler.start = (self.start_epoch * self.max_iter + self.start_iter) * self.accumulate
        self.prefetcher = Batches(self.train_loader, self.device)

    def eval_model(self) -> nn.Module:
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

    def batches_are_numbered(self) -> bool:
        """Tell whether batches are numbered, and so known from the seed."""
        return isinstance(self.train_loader.batch_sampler, ExactBatches)


def out_of_place(model: nn.Module) -> None:
    """Let SiLU write beside its input: in place, autograd copies that first. The bits stay."""
    for module in model.modules():
        if isinstance(module, nn.SiLU):
            module.inplace = False
