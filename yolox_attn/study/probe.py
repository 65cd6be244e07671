"""How long will a run take? A few real steps of its trainer, timed in a process of their own."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass

from yolox_attn.study.plan import PlannedVariant, Training

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
