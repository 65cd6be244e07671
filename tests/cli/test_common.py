"""What is refused by its name alone, before torch is imported, and what is not."""

import argparse
from pathlib import Path

import pytest

from yolox_attn.cli import compare, study
from yolox_attn.cli.common import check_files
from yolox_attn.errors import InputError


def words(**given: object) -> argparse.Namespace:
    usual = {"exp_file": None, "data": None, "ckpt": None, "fp16": False, "bf16": False}
    return argparse.Namespace(**{**usual, **given})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"exp_file": "gone.py"}, "^no Exp file gone.py$"),
        ({"data": "gone"}, "^no data folder gone$"),
        ({"ckpt": "gone.pth"}, "^no checkpoint gone.pth$"),
        ({"fp16": True, "bf16": True}, "choose one"),
    ],
)
def test_what_is_not_there_is_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_files(words(**given))


def test_a_run_that_goes_on_needs_its_first_weights_no_more() -> None:
    check_files(words(ckpt="gone.pth", resume=True))
    check_files(words(ckpt="gone.pth", help_exp=True))


def test_a_home_that_the_shell_left_alone_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--data=~/x`, or '~/x' in quotes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "runs").mkdir()
    (tmp_path / "x.py").touch()
    check_files(words(data="~/runs"))
    study.check_plan(argparse.Namespace(baseline="~/x.py", variants=["~/x.py"], seeds=[3]))
    assert compare.main(["~/runs", "--no-latency", "--no-verdict", "--device", "cpu"]) == 2
    assert "no such folder" not in capsys.readouterr().err
