"""The noise that a plan is told: a number, or what a study of the baseline alone has measured."""

import math
from pathlib import Path

from yolox_attn.errors import InputError
from yolox_attn.stats.truth import read_json

PLACES = ("report/comparison.json", "comparison.json")  # below a study, or in the report's folder


def paired_sd(word: str) -> float:
    """Return the standard deviation of paired differences, AP points, that `word` stands for.

    Args:
        word: that number itself; or the folder of a study or of its report, of whose baseline runs
            sqrt(2) s_seed is taken: what two independent runs differ by.

    Raises:
        InputError: neither, or a report without the noise of seeds.
    """
    try:
        sd = float(word)
    except ValueError:
        return _of_report(Path(word).expanduser())
    if not (math.isfinite(sd) and sd > 0):
        raise InputError(f"--noise {word}: a standard deviation in AP points, above 0")
    return sd


def _of_report(folder: Path) -> float:
    found = [folder / place for place in PLACES if (folder / place).is_file()]
    if not found:
        raise InputError(
            f"--noise {folder}: neither a number nor a study that has a report; write one by "
            f"`study report {folder}`"
        )
    content = read_json(found[0])
    noise = content.get("seed_noise") if isinstance(content, dict) else None
    sd = noise.get("sd") if isinstance(noise, dict) else None
    if not (isinstance(sd, float | int) and math.isfinite(sd) and sd > 0):
        raise InputError(
            f"--noise {folder}: {found[0].name} knows no noise of seeds; it takes 2 runs"
        )
    return math.sqrt(2) * 100 * sd
