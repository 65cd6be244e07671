import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from judged_comparison import judged_comparison

from yolox_attn.errors import InputError
from yolox_attn.report import write_comparison
from yolox_attn.report.comparison import SeedNoise
from yolox_attn.stats.terms import Terms
from yolox_attn.study.estimate import detectable, needed, noise_prior, wall_time


def test_wall_time_is_no_less_than_the_longest_run() -> None:
    assert wall_time([10, 20, 30], 1) == 60
    assert wall_time([10, 20, 30], 2) == 30
    assert wall_time([10, 20, 30], 9) == 30
    assert wall_time([], 2) == 0


@pytest.mark.parametrize(("seeds", "times"), [(3, 3.26), (5, 1.68), (10, 1.00), (20, 0.66)])
def test_detectable_effects_are_those_of_the_literature(seeds: int, times: float) -> None:
    assert detectable(1.0, seeds, 1, Terms()) == pytest.approx(times, abs=0.01)


def test_more_blocks_need_larger_effects_and_more_seeds() -> None:
    terms = Terms(sesoi=0.3)
    assert detectable(1.0, 5, 6, terms) == pytest.approx(2.8, abs=0.05)
    assert needed(0.3, 1, terms) == 10
    assert (needed(0.3, 6, terms) or 0) > 10
    assert detectable(1.0, 5, 0, terms) == detectable(1.0, 5, 1, terms)  # of the noise alone


FIVE = judged_comparison(5)


def write_report(folder: Path, noise: SeedNoise | None, *, alone: bool = True) -> Path:
    variants = FIVE.variants[:1] if alone else FIVE.variants
    write_comparison(folder, replace(FIVE, variants=variants, seed_noise=noise))
    return folder


def test_the_noise_is_a_number_or_sqrt_two_of_that_of_a_baseline(tmp_path: Path) -> None:
    assert noise_prior(["0.6"]) == pytest.approx(0.6)
    report = write_report(tmp_path / "study/report", replace(FIVE.seed_noise, sd=0.003))
    assert noise_prior([str(tmp_path / "study")]) == pytest.approx(0.3 * math.sqrt(2))
    assert noise_prior([str(report)]) == pytest.approx(0.3 * math.sqrt(2))


def test_of_a_study_with_blocks_the_scatter_of_its_pairs_counts_and_several_are_averaged(
    tmp_path: Path,
) -> None:
    report = write_report(tmp_path, FIVE.seed_noise, alone=False)
    blocks = [judged.noise for each, judged in FIVE.judged() if each.role == "variant"]
    variances = [1e4 * (each["seed"] ** 2 + each["seed_image"] ** 2) for each in blocks]
    expected = sum(variances) / 4
    assert noise_prior([str(report)]) == pytest.approx(math.sqrt(expected))
    assert noise_prior([str(report), "2.0"]) == pytest.approx(math.sqrt((expected + 4) / 2))


@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf"])
def test_a_number_that_is_no_noise_is_refused(word: str) -> None:
    with pytest.raises(InputError, match=f"--noise {word}: a standard deviation in AP points"):
        noise_prior([word])


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    message = f"--noise {tmp_path}: neither a number nor a study that has a report"
    with pytest.raises(InputError, match=re.escape(message)):
        noise_prior([str(tmp_path)])


def test_a_report_without_noise_is_refused(tmp_path: Path) -> None:
    write_report(tmp_path / "report", None)
    with pytest.raises(InputError, match=r"comparison.json has no noise of seeds"):
        noise_prior([str(tmp_path)])
