from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.report.load_runs import read_evaluation


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "not what the eval command writes: no JSON object"),
        ('{"figures": {}, "split": "val", "test_size": [1, 1]}', "checkpoint, annotations missing"),
    ],
)
def test_another_figures_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "figures.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_evaluation(tmp_path)
    assert str(tmp_path / "figures.json") in str(caught.value)


def test_a_folder_without_an_evaluation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read_evaluation(tmp_path)
