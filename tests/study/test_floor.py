import json
import math
import re
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.study.planner import paired_sd


def write_report(folder: Path, noise: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "comparison.json").write_text(json.dumps({"schema": 1, "seed_noise": noise}))
    return folder


def test_a_number_is_itself() -> None:
    assert paired_sd("0.6") == 0.6


def test_a_study_of_the_baseline_tells_sqrt_two_of_its_noise(tmp_path: Path) -> None:
    report = write_report(tmp_path / "study/report", {"runs": 3, "sd": 0.003})
    assert paired_sd(str(tmp_path / "study")) == pytest.approx(0.3 * math.sqrt(2))
    assert paired_sd(str(report)) == pytest.approx(0.3 * math.sqrt(2))


@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf"])
def test_a_number_that_is_no_noise_is_refused(word: str) -> None:
    with pytest.raises(InputError, match=f"--noise {word}: a standard deviation in AP points"):
        paired_sd(word)


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    told = f"--noise {tmp_path}: neither a number nor a study that has a report"
    with pytest.raises(InputError, match=re.escape(told)):
        paired_sd(str(tmp_path))


@pytest.mark.parametrize("noise", [None, {"sd": None}, {"sd": 0}, {"sd": "x"}])
def test_a_report_without_noise_is_refused(tmp_path: Path, noise: object) -> None:
    write_report(tmp_path / "report", noise)
    with pytest.raises(InputError, match=r"comparison.json knows no noise of seeds"):
        paired_sd(str(tmp_path))
