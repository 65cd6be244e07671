"""One bad input: what is wrong with a sound place, and the whole line that must say so."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

EXP = """
from yolox_attn.exp import AttentionExp

class Exp(AttentionExp):
    def __init__(self):
        super().__init__()
        self.depth, self.width, self.depthwise = 0.33, 0.125, True
        self.input_size = self.test_size = (64, 64)
        self.random_size = (1, 3)
        self.max_epoch, self.warmup_epochs, self.no_aug_epochs = 2, 0, 0
        self.data_num_workers = 0
        self.seed = 0
        self.output_dir = "out"
"""


@dataclass
class Place:
    """A folder with a finished run, its experiment and its data, to be spoilt by a case."""

    root: Path
    data: Path
    patch: pytest.MonkeyPatch

    @property
    def run(self) -> Path:
        return self.root / "out/tiny"

    @property
    def exp(self) -> Path:
        return self.root / "tiny.py"

    def own_data(self) -> Path:
        """Copy the data, so that they can be spoilt; return the copy."""
        if self.data != self.root / "data":
            self.data = Path(shutil.copytree(self.data, self.root / "data"))
        return self.data

    def change_exp(self, old: str, new: str) -> None:
        text = self.exp.read_text()
        assert old in text
        self.exp.write_text(text.replace(old, new))

    def change_json(self, change: Callable[[dict[str, Any]], Any], split: str = "train") -> None:
        """Let `change` edit a split's annotations."""
        file = self.own_data() / f"annotations/instances_{split}2017.json"
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    def fill(self, text: str) -> str:
        """Put the place's paths into `text`."""
        json_file = self.data / "annotations/instances_{}2017.json"
        paths = {"run": Path("out/tiny"), "exp": self.exp, "data": self.data, "root": self.root}
        paths |= {split: str(json_file).format(split) for split in ("train", "val")}
        for name, path in paths.items():
            text = text.replace(f"<{name}>", str(path))
        return text


def leave(place: Place) -> None:
    """Spoil nothing: the words are wrong enough."""


@dataclass(frozen=True)
class Case:
    """A bad input.

    Args:
        name: of the case.
        says: the whole message, <run>, <exp>, <data>, <root>, <train>, <val> for paths (the last
            two of the annotation files) and ... for what does not matter.
        words: of the command line, after those for a sound experiment, its data and run folder.
        spoil: what is done to the place first.
        experiment: the words for which experiment.
        mode: the flag by which the command may write in the folder of the finished run.
    """

    name: str
    says: str
    words: str = ""
    spoil: Callable[[Place], Any] = field(default=leave)
    experiment: str = "-f <exp>"
    mode: str = "--overwrite"

    def matches(self, message: str, place: Place | None = None) -> bool:
        """Tell whether `message` is what this case says, at `place`."""
        says = place.fill(self.says) if place else self.says
        return re.fullmatch(".*".join(map(re.escape, says.split("..."))), message) is not None
