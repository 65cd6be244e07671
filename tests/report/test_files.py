import json
from pathlib import Path

import pytest
from judged_comparison import judged_comparison

from yolox_attn.errors import InputError
from yolox_attn.report import as_csv, as_markdown, read_comparison, write_comparison

SUFFIXES = ("md", "csv", "tex", "json", "html")


def test_everything_is_written_and_comes_back(tmp_path: Path) -> None:
    comparison = judged_comparison()
    paths = write_comparison(tmp_path / "new", comparison)
    assert [path.name for path in paths[:5]] == [f"comparison.{suffix}" for suffix in SUFFIXES]
    drawn = paths[5:]
    assert {path.parent.name for path in drawn} == {"figures"}
    assert {path.stem for path in drawn} >= {"intervals", "seeds"}
    assert all(path.read_text(encoding="utf-8").lstrip().startswith("<") for path in drawn)
    assert paths[0].read_text(encoding="utf-8") == as_markdown(comparison)
    assert paths[1].read_text(encoding="utf-8") == as_csv(comparison)
    assert read_comparison(paths[3]) == comparison
    shown = comparison.variants[1].judgement
    assert shown is not None
    values = json.loads(paths[3].read_text(encoding="utf-8"))
    assert values["variants"][1]["judgement"]["difference"] == shown.difference  # a fraction


def test_a_drawing_of_an_earlier_comparison_goes(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    own = tmp_path / "figures" / "own.svg"
    for path in (own, tmp_path / "figures" / "latency.svg"):
        path.write_text("<svg/>")
    found = judged_comparison(3)
    bare = [type(each)(**{**vars(each), "latency": None}) for each in found.variants]
    write_comparison(tmp_path, type(found)(**{**vars(found), "variants": tuple(bare)}))
    assert own.exists()
    assert not (tmp_path / "figures" / "latency.svg").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("{}", "not a comparison of schema 2 (it says None)"),
        ('{"schema": 1, "variants": []}', "not a comparison of schema 2 (it says 1); compare the"),
        ('{"schema": 2, "variants": []}', "not a whole comparison: "),
        ('{"schema": 2, "variants": [{"name": 3}]}', "not a whole comparison: 3 is no str"),
        ("[]", "not a comparison of schema 2"),
    ],
)
def test_another_file_is_no_comparison(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_comparison(tmp_path / "x.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
