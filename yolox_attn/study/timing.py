"""A few real steps of a run's trainer, timed, as `probe.probe` asks for them on stdin."""

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from yolox_attn import device as devices
from yolox_attn.core import AttentionTrainer
from yolox_attn.core.options import TrainOptions
from yolox_attn.evaluators.predict import predict, rules_of
from yolox_attn.seed import stream
from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.probe import READY, Probe
from yolox_attn.study.variants import build_exp

BUDGET = 1.0  # seconds for each thing that is timed; one step is always done
Size = tuple[int, int]  # height and width, pixels


def main(budget: float = BUDGET) -> None:
    """Answer the request on stdin; the last line of stdout is the answer.

    Ready to measure, it says so and waits for a line: others are perhaps to measure meanwhile.
    """
    variant, training, split, device = json.loads(sys.stdin.readline())
    devices.fix_threads()

    def wait() -> None:
        print(READY, flush=True)  # noqa: T201
        if not sys.stdin.readline():
            raise SystemExit("nobody waits for the answer any more")

    timed = measure(PlannedVariant(**variant), Training(**training), split, device, budget, wait)
    print(json.dumps(asdict(timed)))  # noqa: T201 - the answer


def measure(  # noqa: PLR0913 - of what, how long, and when
    variant: PlannedVariant,
    training: Training,
    split: str,
    device: str,
    budget: float,
    wait: Callable[[], None] = lambda: None,
) -> Probe:
    """Time the variant in this process, `budget` seconds for each of the things that it takes.

    `wait` is called before the first step.
    """
    exp = build_exp(variant, training)
    with tempfile.TemporaryDirectory() as folder:
        exp.seed, exp.output_dir = 0, folder
        trainer = exp.get_trainer(_options(variant, training, device))
        trainer.before_train()
        startup = time.time() - psutil.Process().create_time()
        wait()
        step = _mean_step(trainer, budget)
        image = _image_seconds(trainer, budget)
    schedule = trainer.schedule
    images = len(trainer.evaluator.dataloader.dataset) * len(schedule.evaluated)
    if split == "test":
        judging: Any = exp.get_eval_loader(training.batch_size, False, testdev=True).dataset  # noqa: FBT003
        images += len(judging)
    return Probe(
        startup=startup,
        step=step,
        image=image,
        steps=schedule.max_epoch * schedule.steps,
        images=images,
        memory=devices.peak_memory(trainer.device) or _process_memory(),
        device=devices.describe(trainer.device),
    )


def _options(variant: PlannedVariant, training: Training, device: str) -> TrainOptions:
    """Return what the train command would give the trainer."""
    return TrainOptions(
        experiment_name="probe",
        batch_size=training.batch_size,
        accumulate=training.accumulate,
        device=device,
        precision=training.precision,
        checkpoint=None if training.checkpoint is None else Path(training.checkpoint),
        exp_file=variant.exp_file,
        exp_name=variant.exp_name,
        overrides=training.overrides,
        skip_doctor=True,  # it looked at the data when the study was planned
    )


def _mean_step(trainer: AttentionTrainer, budget: float) -> float:
    """Return the seconds of a step, its loading included."""
    with stream(0, "sizes of the probe"):
        sizes: list[Size] = [
            trainer.exp.random_resize(trainer.train_loader, 0, 0, False)  # noqa: FBT003
            for _ in range(200)
        ]
    small, large = min(sizes, key=math.prod), max(sizes, key=math.prod)
    trainer.epoch = trainer.iter = 0
    step_seconds(trainer, small, 0)  # warms up
    at_small = step_seconds(trainer, small, budget)
    at_large = at_small if large == small else step_seconds(trainer, large, budget)
    workers: int = trainer.train_loader.num_workers
    loading: float = trainer.accumulate * _batch_seconds(trainer, workers, budget)
    return whole_step(at_mean(sizes, at_small, at_large), loading, workers)


def at_mean(sizes: Sequence[Size], small: float, large: float) -> float:
    """Return the seconds of a mean step, which grow with its pixels from `small` to `large`."""
    areas = [height * width for height, width in sizes]
    least, most = min(areas), max(areas)
    share = (statistics.fmean(areas) - least) / max(most - least, 1)
    return small + share * (large - small)


def whole_step(computing: float, loading: float, workers: int) -> float:
    """Return the seconds of a step; with `workers` the next is loaded meanwhile."""
    return max(computing, loading) if workers else computing + loading


def step_seconds(trainer: AttentionTrainer, size: Size, budget: float) -> float:
    """Return the median seconds of up to 10 steps at `size`, without their loading."""
    trainer.input_size = size
    times: list[float] = []
    end = time.perf_counter() + budget
    while not times or (time.perf_counter() < end and len(times) < 10):
        start = time.perf_counter()
        trainer.train_one_iter()
        devices.synchronize(trainer.device)
        times.append(time.perf_counter() - start - trainer.meter["data_time"].latest)
    return statistics.median(times)


def _batch_seconds(trainer: AttentionTrainer, workers: int, budget: float) -> float:
    """Return the seconds between two batches that are only loaded, after those loaded ahead."""
    ahead = workers * (trainer.train_loader.prefetch_factor or 0) + 1
    times: list[float] = []
    end = time.perf_counter() + budget
    while not times or (time.perf_counter() < end and len(times) < 4 * ahead):
        start = time.perf_counter()
        trainer.prefetcher.take(1)
        times.append(time.perf_counter() - start)
    return statistics.fmean(times[ahead:] or times[-1:])


def _image_seconds(trainer: AttentionTrainer, budget: float) -> float:
    """Return the seconds of one evaluated image, loading included; the first batch warms up."""
    evaluator, model = trainer.evaluator, trainer.eval_model()
    done: list[tuple[float, int]] = [(time.perf_counter(), 0)]  # when, images so far

    def timed() -> Iterator[Any]:
        for batch in evaluator.dataloader:
            yield batch
            done.append((time.perf_counter(), done[-1][1] + len(batch[0])))
            if done[-1][0] > done[0][0] + budget:
                return

    predict(model, timed(), rules_of(evaluator, model))
    first = done[1] if len(done) > 2 else done[0]
    return (done[-1][0] - first[0]) / (done[-1][1] - first[1])


def _process_memory() -> int | None:
    """Return the most bytes that this process has held, None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


if __name__ == "__main__":
    main()
