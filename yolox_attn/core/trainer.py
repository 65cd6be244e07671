"""YOLOX's training loop on a CPU, CUDA or MPS device, exact to the bit across interruptions."""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from loguru import logger
from yolox.utils import adjust_status

from yolox_attn import device as devices
from yolox_attn.coco.evaluate import Metrics
from yolox_attn.core import describe, failures, prepare
from yolox_attn.core.distributed import any_rank, average_norm, on_rank_zero, sum_over_ranks
from yolox_attn.core.prepared import PreparedTrainer
from yolox_attn.core.schedule import describe_schedule
from yolox_attn.core.state import rank_states
from yolox_attn.errors import Ending, Interrupted
from yolox_attn.runs import RunRecord, read_metrics
from yolox_attn.runs.remarks import curve_of, drop_in_words, rise_in_words, warmup_in_words
from yolox_attn.seed import stream


class AttentionTrainer(PreparedTrainer):
    """Trains an experiment and leaves logs, checkpoints, metrics and run.json in its folder.

    The step is YOLOX's: with attention "none" in float32 and contiguous memory it gives the same
    loss, gradients, weights and EMA, bit for bit. What differs is around it: any device; every
    random draw is a function of the seed and of a number; the run can end after any step and go on
    to the same bits; and nothing is written before everything has been checked.
    """

    def train(self) -> None:
        """Run every epoch; run.json says "running" meanwhile and how it ended afterwards.

        Raises:
            InputError: before anything is written, if the run cannot work.
            TrainingError: a loss that is not finite, or no memory left.
            Interrupted: asked to stop; saved.
        """
        try:
            self._train()
        except Ending as ending:
            if not self.options.stock_tool:
                raise
            # YOLOX's own tool logs any error and exits with 0; it lets this one pass.
            logger.error(str(ending))
            raise SystemExit(getattr(ending, "CODE", 2)) from ending

    def _train(self) -> None:
        self.before_train()
        with closing(self.prefetcher), self.stop.listening(), self.run_log.open():
            self._begin()
            self.train_in_epoch()
            self.after_train()

    def _begin(self) -> None:
        """Write the first record, and log what is going to happen."""
        options = self.options
        if self.rank == 0:
            prepare.make_room(options, self.folder)
        record = describe.first_record(self)
        self.run_log.start(record, options.logger, options.wandb)
        logger.info(
            f"{options.experiment_name}, seed {self.seed}, on {devices.describe(self.device)}, "
            f"{self.precision}, {self.costs['parameters']:,} parameters, "
            f"{self.costs['gflops']:.2f} GFLOPs"
        )
        if frozen := self.costs["parameters"] - self.costs["trainable_parameters"]:
            logger.info(f"freeze {list(self.exp.freeze)}: {frozen:,} parameters stay as they are")
        logger.debug(f"exp value:\n{self.exp}")
        for line in describe_schedule(self.schedule, self.lr_scheduler.update_lr):
            logger.info(line)
        if self.rank == 0 and (remark := warmup_in_words(describe.describe_config(self.exp))):
            logger.warning(remark)
        if self.start_can_be_judged:
            self._judge_start(record)
        if options.resume:
            how = "" if self.exact else ", not exactly"
            done = self.start_epoch >= self.max_epoch
            what = "this run is finished" if done else f"going on{how}"
            logger.info(f"{what} after epoch {self.start_epoch}, step {self.start_iter}")

    def _judge_start(self, record: RunRecord) -> None:
        """Keep what AP the weights give before the first step; no random stream moves by it."""
        with stream(self.seed, "start"):
            result = self._evaluate()
        if result is None:
            self.saver.latest((self.start_epoch, self.start_iter))
            raise self._interrupted()
        ap, _, _ = on_rank_zero(lambda: result)
        logger.info(f"AP {100 * ap:.2f} before training")
        self.run_log.update(pretrained={**(record.pretrained or {}), "AP": ap})

    def train_in_epoch(self) -> None:
        """Run the epochs that are left, unless the Exp's patience ends before them."""
        for epoch in range(self.start_epoch, self.max_epoch):
            if self.out_of_patience():
                break
            self.epoch = epoch
            self.before_epoch()
            self.train_in_iter()
            self.after_epoch()

    def train_in_iter(self) -> None:
        """Run the steps of an epoch that are left; between two of them the run may be stopped."""
        for step in range(self.start_iter, self.max_iter):
            self.iter = step
            self.before_iter()
            self.train_one_iter()
            self.after_iter()
            self._after_step()
        self.start_iter = 0

    def after_iter(self) -> None:
        """Log and draw a new input size as YOLOX does, the size from a stream of its own."""
        with stream(self.seed, "size", self.progress_in_iter):
            super().after_iter()

    def _after_step(self) -> None:
        """Save if it is time; stop, if any rank was asked to."""
        due = self.saver.due(self.progress_in_iter + 1)
        stop, save = any_rank(self.stop.signal is not None, due)
        if stop or save:
            self.saver.latest((self.epoch, self.iter + 1))
        if stop:
            raise self._interrupted()

    def _interrupted(self) -> Interrupted:
        name = self.stop.signal or "asked on another rank"
        ending = Interrupted(
            f"stopped ({name}) and saved in {self.folder}; --resume goes on to the same numbers"
        )
        ending.already_reported = self.rank != 0
        return ending

    def train_one_iter(self) -> None:
        """One step of YOLOX: forward, backward, SGD, EMA, learning rate.

        With `accumulate` above 1, the gradient is the mean over as many batches.
        """
        start = time.perf_counter()
        batches = self._fetch()
        fetched = time.perf_counter()
        self.optimizer.zero_grad()
        losses: dict[str, float] = {}
        for k, batch in enumerate(batches):
            for key, value in self._pass(batch, k).items():
                losses[key] = losses.get(key, 0.0) + value / self.accumulate
        if not self.scaler.is_enabled():  # which leaves such a step out by itself
            groups = self.optimizer.param_groups  # a walk over all modules takes as long again
            parameters = (each for group in groups for each in group["params"])
            numbers = range(self.accumulate)
            failures.finite_gradients(
                parameters, losses, self._where(), lambda: self._names(numbers)
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.use_model_ema:
            self.ema_model.update(self.model)
        lr = self.lr_scheduler.update_lr(self.progress_in_iter + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        seconds = time.perf_counter() - start
        self.progress.step(losses, seconds, sum(batch.cut for batch in batches))
        self.meter.update(iter_time=seconds, data_time=fetched - start, lr=lr, **losses)

    def _fetch(self) -> Any:
        """Return a step's batches, before anything of the step has been done."""
        try:
            return self.prefetcher.take(self.accumulate)
        except (RuntimeError, OSError, EOFError):
            # A signal to all processes ends the loading workers too, perhaps while one sends a
            # batch. Of several ranks some may be in the middle of a step that cannot end any more:
            # nothing can be saved then.
            if self.stop.signal is None or self.is_distributed:
                raise
            self.saver.latest((self.epoch, self.iter))
            raise self._interrupted() from None

    def _pass(self, batch: Any, k: int) -> dict[str, float]:
        """Run the step's batch number `k` forward and backward; return its losses."""
        images, labels = self.prefetcher.move(batch)
        images, labels = self.exp.preprocess(images, labels, self.input_size)
        images = images.contiguous(memory_format=self.memory_format)
        height, width = images.shape[2:]
        load = f"{len(images)} images of {height} x {width} on {self.device}"
        with (
            failures.named_failures(self.raw_model(), self._where(), load),
            self._unsynchronised(last=k == self.accumulate - 1),
        ):
            with devices.autocast(self.device, self.autocast_dtype):
                outputs: dict[str, Any] = self.model(images, labels)
            failures.finite_losses(outputs, self._where(), lambda: self._names([k]))
            self.scaler.scale(outputs["total_loss"] / self.accumulate).backward()
        return {key: failures.number(value) for key, value in outputs.items()}

    def _where(self) -> str:
        return f"epoch {self.epoch + 1}, iteration {self.iter + 1}"

    def _names(self, batches: Iterable[int]) -> list[str]:
        """Return the files of this step's batches, as far as they can be known."""
        if not self.batches_are_numbered():
            return []
        first = self.progress_in_iter * self.accumulate
        return failures.images_of(self.train_loader, [first + k for k in batches])

    def _unsynchronised(self, *, last: bool) -> AbstractContextManager[object]:
        """Leave it to the `last` of a step's passes to sum gradients over the processes."""
        parallel: Any = self.model
        context: AbstractContextManager[object] = nullcontext()
        return context if last or not self.is_distributed else parallel.no_sync()

    def before_epoch(self) -> None:
        """Start the epoch as YOLOX does: in the last ones without mosaic, with the L1 loss."""
        logger.info(f"---> start train epoch{self.epoch + 1}")
        plain = self.schedule.first_no_mosaic_epoch
        if self.epoch < plain:
            return
        logger.info("--->No mosaic aug now! Additional L1 loss now!")
        self.train_loader.close_mosaic()
        head: Any = self.raw_model().head
        head.use_l1 = True
        if 0 < self.epoch == plain and self.start_iter == 0:
            self._save("last_mosaic_epoch", (self.epoch, 0))

    def after_epoch(self) -> None:
        """Evaluate if it is time; write the metrics, then the checkpoints that go on from them."""
        row, images_per_second = self._epoch_row()
        changes: dict[str, Any] = {"images_per_second": images_per_second}
        better = False
        if self.epoch + 1 in self.schedule.evaluated:
            better = self._judge()
            changes["metrics"] = self.metrics
            changes["class_ap"] = getattr(self.evaluator, "class_ap", {})
            if self.out_of_patience():
                changes["stopped_early"] = self._stopped_early()
        cut = sum_over_ranks({"labels_cut": self.progress.labels_cut})["labels_cut"]
        changes |= {"best_ap": self.best_ap, "labels_cut": int(cut)}
        self.progress.next_epoch()
        # In this order: killed in between, the run repeats the epoch and writes its row anew.
        self.run_log.epoch(row | changes.get("metrics", {}), **changes)
        position = (self.epoch + 1, 0)
        if better:
            self._save("best", position)
        if self.save_history_ckpt and "metrics" in changes:
            self._save(f"epoch_{self.epoch + 1}", position)
        self.saver.latest(position)
        ends = self.epoch + 1 == self.max_epoch or self.out_of_patience()
        if any_rank(self.stop.signal is not None)[0] and not ends:
            raise self._interrupted()

    def _epoch_row(self) -> tuple[dict[str, Any], float]:
        """Return the epoch's means and images a second, and log them."""
        seconds = self.progress.seconds
        sums = sum_over_ranks(self.progress.losses | {"cut": self.progress.epoch_cut})
        cut = int(sums.pop("cut"))
        row: dict[str, Any] = {"epoch": self.epoch + 1}
        passes = self.max_iter * self.processes
        row |= {key: total / passes for key, total in sums.items()}
        row |= {"lr": self.optimizer.param_groups[0]["lr"], "train_seconds": round(seconds, 3)}
        logger.info(
            f"epoch {self.epoch + 1}/{self.max_epoch}: "
            f"mean loss {row['total_loss']:.3f}, {seconds:.1f} s"
        )
        if cut:
            logger.warning(
                f"{cut} boxes of this epoch were left out, as no image keeps more than "
                f"max_labels ({getattr(self.exp, 'max_labels', '?')}): raise it"
            )
        images = self.max_iter * self.accumulate * self.options.batch_size
        return row, round(images / seconds, 3)

    def _judge(self) -> bool:
        """Evaluate the EMA (or raw) weights; tell whether they are the best so far."""
        ranks = rank_states(self)  # what each rank had before the statistics are made equal
        average_norm(*self.models())
        result = self._evaluate()
        if result is None:
            self.saver.latest((self.epoch, self.max_iter), ranks)
            raise self._interrupted()
        ap, ap50, summary = on_rank_zero(lambda: result)  # the other ranks got zeros
        # A user's own evaluator returns what YOLOX asks for: two metrics.
        own = getattr(self.evaluator, "metrics", None)
        self.metrics: Metrics = own or {"AP": ap, "AP50": ap50}
        said = (f"{key} {_shown(self.metrics.get(key))}" for key in ("AP", "AP50"))
        logger.info(f"{', '.join(said)}\n{summary}")
        self.run_log.detections(getattr(self.evaluator, "detections", []))
        return self._is_best(ap)

    def _evaluate(self) -> tuple[float, float, str] | None:
        """Return AP, AP50 and a summary; None if asked to stop meanwhile.

        Of several ranks none stops by itself, as the others wait for it; they vote afterwards.
        """
        model = self.eval_model()
        stopping = nullcontext() if self.is_distributed else self.stop.at_once()
        try:
            with stopping, adjust_status(model, training=False):
                ap, ap50, summary = self.exp.eval(model, self.evaluator, self.is_distributed)
        except Interrupted:
            return None  # and lets go of the evaluation's loading processes
        return float(ap), float(ap50), summary

    def _is_best(self, ap: float) -> bool:
        """Count an evaluation; the first is the best so far even at AP 0."""
        better = self.best_ap is None or ap > self.best_ap
        self.best_ap = ap if better else self.best_ap
        self.progress.evaluated(self.epoch + 1, better=better)
        return better

    def out_of_patience(self) -> bool:
        """Tell whether the Exp's patience is over; it has none by default."""
        patience: int = self.exp.patience
        return 0 < patience <= self.progress.since_best

    def _stopped_early(self) -> dict[str, int]:
        best, patience = self.progress.best_epoch, self.exp.patience
        logger.info(
            f"stopped early: no better AP in {patience} evaluations since epoch {best}. The split "
            "that stopped a run cannot judge it: compare on another"
        )
        return {"epoch": self.epoch + 1, "patience": patience, "best_epoch": best}

    def after_train(self) -> None:
        """Log how it ended."""
        record = self.run_log.record
        best = "none evaluated" if self.best_ap is None else _shown(self.best_ap)
        if record is not None and record.metrics and record.metrics.get("AP") is None:
            best = _shown(None)  # YOLOX's own count of it is 0
        logger.info(f"best AP {best}; {self.folder}")
        if record is not None and self.run_log.writes:
            for remark in (
                rise_in_words(curve_of(read_metrics(self.folder))),
                drop_in_words(record.metrics.get("AP"), record.pretrained),
            ):
                if remark:
                    logger.warning(remark)

    def save_ckpt(self, ckpt_name: str, update_best_ckpt: bool = False) -> None:  # noqa: FBT001, FBT002
        """Write `<ckpt_name>_ckpt.pth` as of the start of this epoch; all ranks call it."""
        self._save(ckpt_name, (self.epoch, 0))

    def _save(self, name: str, position: tuple[int, int]) -> None:
        self.saver.save(f"{name}_ckpt.pth", position)
        self.run_log.checkpoint(f"{name}_ckpt.pth")


def _shown(metric: float | None) -> str:
    """Return a metric in points; where there is no object to find it is undefined, and not 0."""
    return "undefined" if metric is None else f"{100 * metric:.2f}"
