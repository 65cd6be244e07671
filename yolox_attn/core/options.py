"""What was requested of a training run besides its experiment: the command line as plain values."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

OURS = (  # flags that YOLOX's own tool does not have
    *("accumulate", "device", "deterministic", "resume_anyway", "overwrite"),
    *("skip_doctor", "save_steps", "save_minutes"),
)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The options of one training run.

    Args:
        experiment_name: of the run, and of its folder below the experiment's output_dir.
        batch_size: images of one pass over all processes; `accumulate` passes make one step.
        precision: "fp32", "bf16" or "fp16".
        checkpoint: weights to start from, or with `resume` the run to go on from.
        resume_anyway: go on although the experiment has changed.
        start_epoch: with `resume`: the first epoch, from 1.
        overwrite: start anew in a folder that holds a run.
        save_steps, save_minutes: how often to save besides each epoch's end.
        logger: the board that shows the epochs; wandb: WORD -> value of `wandb-WORD value`.
        exp_file, exp_name: the values of -f and -n; overrides: the `key value` words.
        stock_tool: the run was started by YOLOX's own train tool.
    """

    experiment_name: str
    batch_size: int
    accumulate: int = 1
    device: str = "auto"
    precision: str = "fp32"
    deterministic: bool = False
    checkpoint: Path | None = None
    resume: bool = False
    resume_anyway: bool = False
    start_epoch: int | None = None
    overwrite: bool = False
    cache: bool = False
    occupy: bool = False
    skip_doctor: bool = False
    save_steps: int | None = None
    save_minutes: float | None = None
    logger: str = "tensorboard"
    exp_file: str | None = None
    exp_name: str | None = None
    overrides: tuple[str, ...] = ()
    wandb: dict[str, str] = field(default_factory=dict)
    stock_tool: bool = False

    @property
    def pretrained(self) -> Path | None:
        """The weights to start from; None of a run that goes on."""
        return None if self.resume else self.checkpoint


def train_options(args: Namespace) -> TrainOptions:
    """Return the options of a parsed command line: ours, or that of YOLOX's own train tool."""
    words = tuple(str(word) for word in args.opts or [])
    return TrainOptions(
        experiment_name=args.experiment_name,
        batch_size=args.batch_size,
        precision="fp16" if args.fp16 else "bf16" if getattr(args, "bf16", False) else "fp32",
        checkpoint=None if args.ckpt is None else Path(args.ckpt),
        resume=args.resume,
        start_epoch=args.start_epoch,
        cache=args.cache,
        occupy=args.occupy,
        logger=args.logger,
        exp_file=args.exp_file,
        exp_name=args.name,
        overrides=words,
        wandb=wandb_words(words),
        stock_tool=not hasattr(args, "overwrite"),
        **{name: getattr(args, name) for name in OURS if hasattr(args, name)},
    )


def wandb_words(overrides: Sequence[str]) -> dict[str, str]:
    """Return WORD -> value of what is `wandb-WORD value` in `key value` words."""
    pairs = zip(overrides[0::2], overrides[1::2], strict=True)
    return {k.removeprefix("wandb-"): value for k, value in pairs if k.startswith("wandb-")}
