import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from judged_comparison import judged_comparison

from yolox_attn.errors import InputError
from yolox_attn.report import (
    Comparison,
    as_csv,
    as_markdown,
    as_text,
    read_comparison,
    write_comparison,
)
from yolox_attn.report.comparison import Dropped
from yolox_attn.report.figures import DRAWINGS

FIVE = judged_comparison(5)
SUFFIXES = ("md", "csv", "tex", "json", "html")


def test_everything_is_written_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    own, old = (tmp_path / "figures" / f"{name}.svg" for name in ("own", "latency"))
    for path in (own, old):
        path.write_text("<svg/>")
    variants = tuple(replace(each, latency=None) for each in FIVE.variants)
    comparison = replace(FIVE, variants=variants)
    paths = write_comparison(tmp_path, comparison)
    names = [f"comparison.{suffix}" for suffix in SUFFIXES]
    absent = {"latency", "looks"}  # nothing was timed, and it is a study of one look
    names += [f"figures/{name}.svg" for name in DRAWINGS if name not in absent]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == names
    texts = [path.read_text(encoding="utf-8") for path in paths]
    assert texts[:2] == [as_markdown(comparison), as_csv(comparison)]
    assert read_comparison(paths[3]) == comparison
    written = json.loads(texts[3])["variants"][1]["judgement"]["difference"]
    assert written == comparison.variants[1].judgement.difference  # a fraction
    assert all(text in texts[4] for text in texts[5:])  # the page has the same drawings
    assert own.exists()
    assert not old.exists()  # of an earlier comparison


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "not a comparison: Expected `object`, got `array`"),
        ("{}", "not a comparison of schema 4 (it says None)"),
        ('{"schema": 2, "variants": []}', "not a comparison of schema 4 (it says 2); compare the"),
        ('{"schema": 3, "variants": []}', "was judged by edition 1 of the procedure, this is"),
        ('{"schema": 4, "variants": []}', "not a comparison: Object missing required field"),
        ('{"schema": 4, "variants": [{"name": 3}]}', "not a comparison: "),
    ],
)
def test_another_file_is_no_comparison(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_comparison(tmp_path / "x.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def lines(comparison: Comparison) -> dict[str, dict[str, str]]:
    return {line["variant"]: line for line in csv.DictReader(io.StringIO(as_csv(comparison)))}


def test_points_unrounded_and_probabilities_as_they_are() -> None:
    found = FIVE.variants[1].judgement
    line = lines(FIVE)["yolox_nano_cam"]
    texts = {
        "attention": "cam",
        "runs": "5",
        "seeds": "0 1 2 3 4",
        "role": "variant",
        "verdict": "helps",
        "amount": "by a worthwhile amount",
        "paired_seeds": "0 1 2 3 4",
        "wins": "5",
        "ties": "0",
        "parameters": "906000",
        "latency_low_ms": "20.0",
        "seconds_mean": "622.0",
        "peak_memory_max": "1510000000",
        "difference": line["AP_difference"],
    }
    assert {key: line[key] for key in texts} == texts
    numbers = {
        "AP": 100 * FIVE.variants[1].mean["AP"],
        "interval_low": 100 * found.interval[0],
        "seed_error": 100 * found.seed_error,
        "crossed_high": 100 * found.crossed[1],
        "detectable": 100 * found.detectable,
        "p_holm": found.p_holm,
        "p_superiority_low": found.probability_interval[0],
    }
    assert {key: float(line[key]) for key in numbers} == pytest.approx(numbers, abs=1e-9)


def test_what_is_undefined_is_empty() -> None:
    table = lines(judged_comparison(1))
    for key in ("p", "p_holm", "p_equivalence", "interval_low", "seed_error", "sign_flip", "AP_sd"):
        assert table["yolox_nano_cam"][key] == ""
    for key in ("verdict", "wins", "paired_seeds", "AP_difference"):
        assert table["yolox_nano"][key] == ""
    assert table["yolox_nano_placebo"]["role"] == "control"
    assert lines(FIVE)["yolox_nano_placebo"]["p_holm"] == ""
    bare = replace(FIVE.variants[1], parameters=None, gflops_training=None, latency=None)
    line = lines(replace(FIVE, variants=(bare,)))["yolox_nano_cam"]
    assert {line[key] for key in ("parameters", "gflops_training", "latency_low_ms")} == {""}


def test_columns_of_the_verdict_come_last_and_only_where_something_was_judged() -> None:
    plain = as_csv(replace(FIVE, terms=None)).splitlines()[0].split(",")
    whole = as_csv(FIVE).splitlines()[0].split(",")
    assert whole[: len(plain)] == plain
    assert plain[-1] == "latency_high_ms"
    assert len(set(whole)) == len(whole)


def test_a_name_with_commas_and_quotes_stays_one_cell() -> None:
    odd = replace(FIVE.variants[1], name='a_b|c%d,"e"')
    table = lines(replace(FIVE, variants=(FIVE.variants[0], odd), dropped=()))
    assert set(table) == {"yolox_nano", 'a_b|c%d,"e"'}


def test_names_from_files_neither_compute_nor_move_the_cursor(tmp_path: Path) -> None:
    """Of variants and classes; JSON keeps them as they are."""
    evil = '=cmd|" /C calc"!A0\x1b[2J\n| x |'
    odd = replace(FIVE.variants[1], name=evil)
    comparison = replace(FIVE, variants=(FIVE.variants[0], odd), dropped=())
    write_comparison(tmp_path, comparison)
    for name in ("md", "csv", "tex", "html"):
        text = (tmp_path / f"comparison.{name}").read_text()
        assert "\x1b" not in text
        assert "\n| x |" not in text
    assert "\x1b" not in as_text(comparison)
    cells = [row[0] for row in csv.reader((tmp_path / "comparison.csv").open())]
    assert cells[2].startswith("'=cmd")
    numbers = lines(comparison)["yolox_nano"]
    assert float(numbers["AP"]) > 0
    assert read_comparison(tmp_path / "comparison.json").variants[1].name == evil


def test_missing_seeds_are_named_also_of_a_variant_that_has_no_other() -> None:
    gone = [Dropped("yolox_nano_cam", 3, "failed"), Dropped("yolox_nano_cam", 4, "failed")]
    table = lines(replace(FIVE, dropped=(*gone, Dropped("yolox_nano_own", 0, "killed"))))
    assert table["yolox_nano_cam"]["missing"] == "3 4"
    assert table["yolox_nano"]["missing"] == ""
    assert (table["yolox_nano_own"]["runs"], table["yolox_nano_own"]["missing"]) == ("0", "0")
