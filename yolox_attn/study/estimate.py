"""What a planned study will cost, timed by a probe, and what it could find."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tabulate import tabulate

from yolox_attn.stats.noise import seeds_only
from yolox_attn.stats.power import detectable_effect, seeds_needed
from yolox_attn.stats.verdict import Terms
from yolox_attn.study.plan import PlannedVariant, Training

# SD of paired differences, AP points, from detectors on COCO to a small set of one's own.
USUAL_NOISE = (0.3, 0.6, 1.0, 2.0)


def wall_time(seconds: Sequence[float], parallel: int) -> float:
    """Return the least wall time of runs that take `seconds`, `parallel` of them at a time.

    That of runs side by side which do not slow each other down.
    """
    return max(sum(seconds) / parallel, max(seconds, default=0.0))


def detectable(sd: float, seeds: int, family: int, terms: Terms) -> float:
    """Return the true effect, AP points, that is found four times in five.

    Args:
        sd: standard deviation of the paired differences, AP points.
        seeds: of the study, at least 2.
        family: variants that share alpha; the first step of Holm is the hardest.
        terms: of the study.
    """
    alpha = terms.alpha / max(family, 1)
    return detectable_effect(seeds_only(sd), seeds=seeds, alpha=alpha)


def needed(sd: float, family: int, terms: Terms) -> int | None:
    """Return how many seeds find the smallest effect worth having four times in five."""
    alpha = terms.alpha / max(family, 1)
    return seeds_needed(terms.sesoi, seeds_only(sd), alpha=alpha)


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
LIMIT = 300  # seconds after which a probe is given up


@dataclass(frozen=True)
class Probe:
    """What one run of a variant will take; seconds and bytes.

    Args:
        startup: until the first step.
        step: of a training step, at the mean of the sizes that it is trained at.
        image: of one evaluated image.
        steps: of a run; images: that a run evaluates, all its evaluations together.
        memory: the most that was held, on the device where that is CUDA.
        device: where it was timed.
    """

    startup: float
    step: float
    image: float
    steps: int
    images: int
    memory: int | None
    device: str

    @property
    def seconds(self) -> float:
        """Of a whole run."""
        return self.startup + self.steps * self.step + self.images * self.image


def probe(variant: PlannedVariant, training: Training, split: str, device: str) -> Probe | str:
    """Time the variant as a run of its own would be; where it fails, return why, in one line."""
    request = json.dumps([asdict(variant), asdict(training), split, device])
    threads = {"OMP_NUM_THREADS": str(training.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "yolox_attn.study.timing"],
            input=request,
            env=os.environ | threads,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {LIMIT} s"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return re.sub(r"^(\w+\.)*(\w*Error): ", "", last) + f" (exit code {done.returncode})"
    return Probe(**json.loads(done.stdout.splitlines()[-1]))
