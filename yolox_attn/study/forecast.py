"""What a planned study will cost, and what it could find: numbers in, sentences out."""

from collections.abc import Sequence

from tabulate import tabulate

from yolox_attn.stats.judgement import Terms
from yolox_attn.stats.noise import seeds_only
from yolox_attn.stats.power import detectable_effect, seeds_needed

POWER = 0.8
# SD of paired differences, AP points, from detectors on COCO to a small set of one's own.
USUAL_NOISE = (0.3, 0.6, 1.0, 2.0)


def evaluations(max_epoch: int, first_plain: int, interval: int) -> int:
    """Return how often a run is evaluated: every `interval` epochs, and after each without mosaic.

    Args:
        max_epoch: epochs of the run.
        first_plain: the first epoch without mosaic, counted from 0.
        interval: epochs between two evaluations.
    """
    plain = range(first_plain + 1, max_epoch + 1)
    return len({*range(interval, max_epoch + 1, interval), *plain})


def wall_time(seconds: Sequence[float], parallel: int) -> float:
    """Return the least wall time of runs that take `seconds`, `parallel` of them at a time.

    That of runs side by side which do not slow each other down.
    """
    return max(sum(seconds) / parallel, max(seconds, default=0.0))


def duration(seconds: float) -> str:
    """Return "a second", "40 seconds", "12 minutes", "3.4 hours" or "2.5 days"."""
    for unit, length, digits in (("day", 86400, 1), ("hour", 3600, 1), ("minute", 60, 0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.{digits}f} {unit}s"
    return f"{seconds:.0f} seconds" if seconds >= 1.5 else "a second"


def detectable(sd: float, seeds: int, family: int, terms: Terms) -> float:
    """Return the true effect, AP points, that is found four times in five.

    Args:
        sd: standard deviation of the paired differences, AP points.
        seeds: of the study, at least 2.
        family: variants that share alpha; the first step of Holm is the hardest.
        terms: of the study.
    """
    alpha = terms.alpha / max(family, 1)
    return detectable_effect(seeds_only(sd), seeds=seeds, alpha=alpha, target=POWER)


def needed(sd: float, family: int, terms: Terms) -> int | None:
    """Return how many seeds find the smallest effect worth having four times in five."""
    alpha = terms.alpha / max(family, 1)
    return seeds_needed(terms.sesoi, seeds_only(sd), alpha=alpha, target=POWER)


def effect_lines(sd: float | None, seeds: int, family: int, terms: Terms) -> list[str]:
    """Say which effect a study of so many seeds would find, for one noise or for usual ones.

    Args:
        sd: standard deviation of the paired differences, AP points; None where nobody knows it.
        seeds: of the study.
        family: variants that share alpha.
        terms: of the study.
    """
    if seeds < 2:
        return ["effect: one seed finds none of any size: what seeds do to AP stays unknown"]
    holm = f", at Holm's first step among {family} blocks" if family > 1 else ""
    found = f"{seeds} seeds find four times in five{holm}"
    if sd is not None:
        many = needed(sd, family, terms)
        enough = (
            f"{terms.sesoi:g} AP needs {many} seeds" if many else "no number of seeds is enough"
        )
        return [
            f"effect: with paired differences of SD {sd:.2f} AP, {found}, a true difference of "
            f"{detectable(sd, seeds, family, terms):.1f} AP or more; {enough}",
            NOT_COUNTED,
        ]
    rows = [
        (
            f"{each:.1f}",
            f"{detectable(each, seeds, family, terms):.1f}",
            needed(each, family, terms),
        )
        for each in USUAL_NOISE
    ]
    heads = ["SD of paired differences", "found from", f"seeds for {terms.sesoi:g} AP"]
    table = tabulate(rows, heads, tablefmt="simple", stralign="right", disable_numparse=True)
    return [
        f"effect: the true difference, AP, that {found}:",
        *(f"  {line}" for line in table.splitlines()),
        "  which line is yours, `study noise` measures: --noise STUDY_OR_SD then tells one figure",
        NOT_COUNTED,
    ]


NOT_COUNTED = "  (what the choice of test images adds is not in it: the report measures it)"
