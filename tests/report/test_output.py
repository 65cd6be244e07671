import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from judged_comparison import judged_comparison

from yolox_attn.errors import InputError
from yolox_attn.report import as_csv, as_markdown, read_comparison, write_comparison
from yolox_attn.report.output import as_csv

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


def lines(comparison) -> dict[str, dict[str, str]]:
    return {line["variant"]: line for line in csv.DictReader(io.StringIO(as_csv(comparison)))}


def test_points_unrounded_and_probabilities_as_they_are() -> None:
    comparison = judged_comparison(5)
    found = comparison.variants[1].judgement
    line = lines(comparison)["yolox_nano_cam"]
    assert (line["role"], line["verdict"], line["amount"]) == (
        "variant",
        "helps",
        "by a worthwhile amount",
    )
    assert float(line["interval_low"]) == pytest.approx(100 * found.interval[0], abs=1e-9)
    assert float(line["seed_error"]) == pytest.approx(100 * found.seed_error, abs=1e-9)
    assert float(line["crossed_high"]) == pytest.approx(100 * found.crossed[1], abs=1e-9)
    assert float(line["detectable"]) == pytest.approx(100 * found.detectable, abs=1e-9)
    assert float(line["p_holm"]) == found.p_holm
    assert float(line["p_superiority_low"]) == found.probability_interval[0]
    assert (line["wins"], line["ties"], line["paired_seeds"]) == ("5", "0", "0 1 2 3 4")
    assert (line["seconds_mean"], line["peak_memory_max"]) == ("622.0", "1510000000")
    assert float(line["difference"]) == pytest.approx(float(line["AP_difference"]))


def test_what_is_undefined_is_empty() -> None:
    found = lines(judged_comparison(1))
    for key in ("p", "p_holm", "p_equivalence", "interval_low", "seed_error", "sign_flip"):
        assert found["yolox_nano_cam"][key] == ""
    assert found["yolox_nano"]["verdict"] == found["yolox_nano"]["wins"] == ""
    assert found["yolox_nano_placebo"]["role"] == "control"
    assert lines(judged_comparison(5))["yolox_nano_placebo"]["p_holm"] == ""


def test_old_columns_come_first_and_alone_where_nothing_was_judged() -> None:
    judged = judged_comparison(2)
    plain = as_csv(replace(judged, terms=None)).splitlines()[0].split(",")
    whole = as_csv(judged).splitlines()[0].split(",")
    assert whole[: len(plain)] == plain
    assert plain[-1] == "latency_high_ms"
    assert len(set(whole)) == len(whole)


def test_a_name_with_commas_and_quotes_stays_one_cell() -> None:
    comparison = judged_comparison(2)
    odd = replace(comparison.variants[1], name='a_b|c%d,"e"')
    found = lines(replace(comparison, variants=(comparison.variants[0], odd)))
    assert set(found) == {"yolox_nano", 'a_b|c%d,"e"'}
