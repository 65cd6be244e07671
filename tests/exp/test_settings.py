"""The table of `train --help-exp`: every setting, with what it means."""

from pathlib import Path

import pytest

from yolox_attn.cli.train import main
from yolox_attn.exp import load_exp
from yolox_attn.exp.overrides import known_settings
from yolox_attn.exp.settings import MEANINGS
from yolox_attn.exp.sizes import SIZES


@pytest.mark.parametrize("size", SIZES)
def test_every_setting_has_its_meaning(size: str) -> None:
    assert known_settings(load_exp(name=f"yolox-{size}")) <= MEANINGS.keys()


def test_no_meaning_is_of_a_setting_that_is_gone() -> None:
    assert MEANINGS.keys() <= known_settings(load_exp(name="yolox-nano"))


def test_the_experiments_own_values_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "mine.py").write_text(
        "from yolox_attn.exp import NanoExp\nclass Exp(NanoExp):\n    def __init__(self):\n"
        "        super().__init__()\n        self.own = self.max_epoch\n        print(self.own)\n"
    )
    assert main(["-f", str(file), "--help-exp", "max_epoch", "7", "--size", "320"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert rows["max_epoch"].split()[:3] == ["max_epoch", "int", "7"]
    assert "(8, 15)" in rows["random_size"]
    assert rows["attention"].split()[1:3] == ["str", "'none'"]
    assert "of this Exp file's own" in rows["own"]
