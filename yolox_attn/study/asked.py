"""What a user asks a study for, and whether it can be asked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from yolox_attn.core.checkpoint import file_hash
from yolox_attn.errors import InputError
from yolox_attn.stats.judgement import Terms
from yolox_attn.study.plan import SPLITS, Training

# A study sets these itself: they are what its runs differ in.
ITS_OWN = {"attention", "attention_options", "seed", "output_dir", "exp_name"}
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Request:
    """What the command line asks for; words as in `planned_variants`, paths as they were given."""

    baseline: str
    training: Training
    variants: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    split: str = "val"
    terms: Terms = field(default_factory=Terms)
    groups: str | None = None


def check_request(request: Request) -> None:
    """Refuse what needs neither data nor model to be seen as wrong.

    Raises:
        InputError: which, and what is allowed.
    """
    if request.split not in SPLITS:
        raise InputError(f"--split {request.split}: it is {' or '.join(SPLITS)}")
    _check_seeds(request.seeds)
    training = request.training
    for key in ("batch_size", "accumulate", "threads"):
        if getattr(training, key) < 1:
            flag = key.replace("_", "-")
            raise InputError(f"--{flag} {getattr(training, key)}: at least 1")
    for key in training.overrides[0::2]:
        if key in ITS_OWN:
            raise InputError(f"override {key}: a study sets it by itself, for each of its runs")
    if training.checkpoint is not None and not Path(training.checkpoint).expanduser().is_file():
        raise InputError(f"no checkpoint {training.checkpoint}")


def _check_seeds(seeds: Sequence[int]) -> None:
    if not seeds:
        raise InputError("--seeds: at least 1")
    if wrong := [seed for seed in seeds if not 0 <= seed <= LARGEST_SEED]:
        raise InputError(f"--seeds {wrong[0]}: a seed is from 0 to 2**63 - 1")
    if twice := [seed for seed, count in Counter(seeds).items() if count > 1]:
        raise InputError(f"--seeds: {twice[0]} stands there twice; a seed makes one run")


def with_whole_paths(training: Training) -> Training:
    """Return `training` with whole paths, and the checkpoint's hash."""
    data, checkpoint = (
        None if path is None else Path(path).expanduser().resolve()
        for path in (training.data, training.checkpoint)
    )
    words = list(training.overrides)
    for place, key in enumerate(words[:-1:2]):
        if key == "data_dir":
            words[2 * place + 1] = str(Path(words[2 * place + 1]).expanduser().resolve())
    return replace(
        training,
        overrides=tuple(words),
        data=None if data is None else str(data),
        checkpoint=None if checkpoint is None else str(checkpoint),
        checkpoint_sha256=None if checkpoint is None else file_hash(checkpoint),
    )
