import shutil
from pathlib import Path

import pytest
from bad_inputs.case import EXP, Place
from loguru import logger

from yolox_attn.cli.train import main


@pytest.fixture(scope="session")
def finished(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the experiment and, in out/tiny, its finished run."""
    root = tmp_path_factory.mktemp("finished")
    (root / "tiny.py").write_text(EXP)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        words = ["-f", "tiny.py", "-expn", "tiny", "-b", "4", "--device", "cpu"]
        assert main([*words, "--data", str(drawn)]) == 0
    logger.remove()
    return root


@pytest.fixture
def place(finished: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of the finished run, and the folder that the command is called in."""
    shutil.copytree(finished / "out", tmp_path / "out")
    shutil.copyfile(finished / "tiny.py", tmp_path / "tiny.py")
    monkeypatch.chdir(tmp_path)
    yield Place(tmp_path, drawn, monkeypatch)
    logger.remove()  # the command's log went to this test's stderr
