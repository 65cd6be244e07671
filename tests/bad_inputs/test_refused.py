"""The train command and the corpus of bad inputs: one clear line, and nothing is touched.

The corpus is in the other modules of this folder, a kind each.
"""

import hashlib
import shlex
from itertools import permutations
from pathlib import Path

import pytest
from bad_inputs import annotations, checkpoints, data, experiments, flags
from bad_inputs.case import Case, Place

from yolox_attn.cli.train import main

KINDS = {
    "data": data.CASES,
    "json": annotations.CASES,
    "checkpoint": checkpoints.CASES,
    "exp": experiments.CASES,
    "flag": flags.CASES,
}
CORPUS = [
    pytest.param(case, id=f"{kind}-{case.name.replace(' ', '_')}")
    for kind, cases in KINDS.items()
    for case in cases
]


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder, by name; of a folder "folder"."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        )
        for path in folder.rglob("*")
    }


def call(case: Case, place: Place) -> int:
    sound = f"{case.experiment} -expn tiny -b 4 --device cpu --data <data> {case.mode}"
    try:
        return main([place.fill(word) for word in shlex.split(f"{sound} {case.words}")])
    except SystemExit as error:  # argparse's own
        return error.code


@pytest.mark.parametrize("case", CORPUS)
def test_a_bad_input_is_one_clear_line_and_touches_nothing(
    case: Case, place: Place, capsys: pytest.CaptureFixture
) -> None:
    case.spoil(place)
    before = contents(place.root / "out"), contents(place.data)
    code = call(case, place)
    said = capsys.readouterr().err
    errors = [
        line for line in said.splitlines() if line.removeprefix("train: ").startswith("error:")
    ]
    assert code == 2, said
    assert "Traceback" not in said
    assert len(errors) == 1, said
    assert said.splitlines()[-1] == errors[0]
    message = errors[0].partition("error: ")[2]
    assert case.matches(message, place), message
    assert (contents(place.root / "out"), contents(place.data)) == before
    assert not (place.root / "ran").exists()  # what the code in a checkpoint would have made


def test_the_corpus_is_large_and_its_messages_differ() -> None:
    assert all(len(cases) >= 8 for cases in KINDS.values())
    assert len(CORPUS) >= 40
    everything = [case for cases in KINDS.values() for case in cases]
    alike = [
        (one.name, other.name)
        for one, other in permutations(everything, 2)
        if one.matches(other.says)
    ]
    assert not alike


def test_the_place_itself_is_sound(place: Place) -> None:
    """Each case then fails for what it spoils, not for what all of them share."""
    assert call(Case("none", ""), place) == 0
