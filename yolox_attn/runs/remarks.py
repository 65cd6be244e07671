"""What a run's own numbers say against trusting them: too short, spoiled, or all warm-up."""

from collections.abc import Mapping, Sequence
from typing import Any

CLIMBING_SHARE = 0.05  # of the last AP: a rise since the evaluation before it that is larger
WARMING = ("yoloxwarmcos", "warmcos")  # YOLOX's schedulers that warm up
CLIMBING = 0.005  # AP as a fraction: and larger than this, which noise alone does to small sets


def curve_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """Return (epoch, AP as a fraction) of each evaluation among the rows of metrics.jsonl."""
    return [
        (row["epoch"], float(ap))
        for row in rows
        if isinstance(ap := row.get("AP"), int | float) and 0 <= ap <= 1
    ]


def last_rise(curve: Sequence[tuple[int, float]]) -> tuple[float, int] | None:
    """Return by how much AP still rose when the run ended, as a fraction, and in how many epochs.

    None where it was not climbing: it rose by no more than 0.5 points, or a twentieth of itself,
    since the evaluation before the last.
    """
    if len(curve) < 2:
        return None
    (before, lower), (last, upper) = curve[-2:]
    rise = upper - lower
    climbing = rise > max(CLIMBING, CLIMBING_SHARE * upper)
    return (rise, last - before) if climbing else None


def rise_in_words(curve: Sequence[tuple[int, float]]) -> str:
    """Return "still climbing when it ended: +3.1 AP in its last 10 epochs", or nothing."""
    if (found := last_rise(curve)) is None:
        return ""
    rise, epochs = found
    span = "epoch" if epochs == 1 else f"{epochs} epochs"
    return f"still climbing when it ended: +{100 * rise:.1f} AP in its last {span}"


def drop_in_words(ap: float | None, pretrained: Mapping[str, Any] | None) -> str:
    """Return "AP 3.1, below the 8.5 that its weights gave before training", or nothing."""
    start = (pretrained or {}).get("AP")
    if ap is None or start is None or ap >= start:
        return ""
    return f"AP {100 * ap:.1f}, below the {100 * start:.1f} that its weights gave before training"


def warmup_in_words(config: Mapping[str, Any]) -> str:
    """Return "warm-up is 5 of 8 epochs ...", where that is most of the schedule, or nothing."""
    warmup, epochs = config.get("warmup_epochs"), config.get("max_epoch")
    if not isinstance(warmup, int | float) or not isinstance(epochs, int) or 2 * warmup <= epochs:
        return ""
    if config.get("scheduler", "") not in WARMING:
        return ""
    return (
        f"warm-up is {warmup:g} of {epochs} epochs, most of the schedule: train longer, or warm up "
        "for fewer epochs if these still are a few hundred steps"
    )
