import csv
import dataclasses
import io
import re

import pytest
from judged_comparison import judged_comparison

from yolox_attn.cost import Latency
from yolox_attn.report import Comparison, as_csv, as_markdown, as_text
from yolox_attn.report.comparison import Difference, RunResult, Variant
from yolox_attn.report.text import Bullets, Code, Grid, Section, escape, table, to_markdown, to_text

GRID = Grid(["variant", "AP", "a verdict"], [["a_b", "1.0", "yes"], ["c", "22.5", "no"]], "lrl")


def test_a_terminal_gets_narrow_columns_and_wrapped_prose() -> None:
    found = to_text([Section("One", ("Prose.", GRID, Bullets(["word " * 20])))], 80)
    assert found == (
        "One\n===\nProse.\n\n"
        "variant    AP  a verdict\n"
        "-------  ----  ---------\n"
        "a_b       1.0  yes\n"
        "c        22.5  no\n\n"
        f"- {' '.join(['word'] * 15)}\n"
        f"  {' '.join(['word'] * 5)}"
    )


def test_a_table_too_wide_is_folded_and_every_part_names_its_rows() -> None:
    heads = ["variant", *(f"column {place}" for place in range(20))]
    rows = [["cam", *(f"cell {place}" for place in range(20))]]
    found = to_text([Section("One", (Grid(heads, rows),))], 80)
    tables = found.removeprefix("One\n===\n").split("\n\n")
    assert len(tables) == 4
    assert all(each.startswith("variant") and "\ncam" in each for each in tables)
    assert max(map(len, found.splitlines())) <= 80
    assert [found.count(f"column {place}") for place in range(10, 20)] == [1] * 10
    assert len(to_text([Section("One", (Grid(heads, rows),))], 300).split("\n\n")) == 1


def test_a_terminal_of_no_width_is_taken_to_have_80_columns() -> None:
    assert max(map(len, to_text([Section("One", ("word " * 60,))], 0).splitlines())) > 70


def test_a_section_with_nothing_in_it_is_not_shown() -> None:
    empty = [Section("Nothing", ()), Section("Something", ("Here.",))]
    assert to_text(empty, 80) == "Something\n=========\nHere."
    assert to_markdown("T", empty) == "# T\n\n## Something\n\nHere.\n"


def test_markdown_takes_no_name_for_a_mark() -> None:
    assert escape("a_b|c%d") == "a_b\\|c%d"
    assert escape("_a_ *b* `c` <br> p < 0.1 [x] $y$ ~z~ back\\") == (
        "\\_a\\_ \\*b\\* \\`c\\` \\<br> p < 0.1 \\[x\\] \\$y\\$ \\~z\\~ back\\\\"
    )


def test_markdown_tables_escape_heads_and_cells() -> None:
    found = to_markdown("T", [Section("S", (Grid(["a|b"], [["c|d"]]), Bullets(["e|f"])))])
    assert "| a\\|b   |\n" in found
    assert "| c\\|d   |\n" in found
    assert "- e\\|f" in found


def test_commands_stay_as_they_are() -> None:
    lines = Code(["python a_b.py *.json | tee log"])
    assert to_text([Section("S", (lines,))], 80).endswith("\n  python a_b.py *.json | tee log")
    assert "```\npython a_b.py *.json | tee log\n```" in to_markdown("T", [Section("S", (lines,))])


def test_tabulate_does_not_read_text_as_numbers() -> None:
    assert "| +1.50 |" in table(Grid(["x"], [["+1.50"]], "r"), "pipe")


def figures(*values: float | None) -> dict[str, float | None]:
    return dict(zip(("AP", "AP50", "AP75", "APs", "APm", "APl"), values, strict=True))


BASELINE = Variant(
    name="yolox_s",
    attention="none",
    runs=(RunResult("runs/a", 0, figures(0.4, 0.6, 0.5, None, 0.3, 0.29)),),
    mean=figures(0.4, 0.6, 0.5, None, 0.3, 0.29),
    sd=figures(None, None, None, None, None, None),
    difference=None,
    parameters=8_968_255,
    gflops=26.6855,
    gflops_training=26.6855,
    latency=Latency(101.26, 99.94, 120.0),
)
CAM = Variant(
    name="yolox_s_cam|x",
    attention="cam",
    runs=(RunResult("runs/b", 0, figures(*[0.4] * 6)), RunResult("runs/c", 1, figures(*[0.5] * 6))),
    mean=figures(0.39876, 0.6, 0.5, None, 0.3, 0.4),
    sd=figures(0.01234, 0.02, 0.03, None, 0.04, 0.05),
    difference=Difference(figures(-0.00124, 0.0, 0.0, None, 0.0, 0.11), (0,)),
    parameters=9_001_000,
    gflops=26.7,
    gflops_training=None,
)
COMPARISON = Comparison("yolox_s", (BASELINE, CAM), (640, 320), 1000, ("One.", "Two."))
TEXT = """\
variant          runs            AP    diff        AP50        AP75    APs         APm         APl    params (M)    GFLOPs        latency (ms)
-------------  ------  ------------  ------  ----------  ----------  -----  ----------  ----------  ------------  --------  ------------------
yolox_s             1         40.00                60.0        50.0      -        30.0        29.0          8.97     26.69  101.3 (99.9-120.0)
yolox_s_cam|x       2  39.88 ± 1.23   -0.12  60.0 ± 2.0  50.0 ± 3.0      -  30.0 ± 4.0  40.0 ± 5.0          9.00     26.70                   -

AP in points (0-100) of the latest checkpoint on 1000 images, mean ± standard deviation over runs; diff: AP minus that of yolox_s; GFLOPs at 640x320, 2 a multiply-add.

One.
Two."""  # noqa: E501
MARKDOWN = """\
| variant   |   runs |    AP |   diff |   AP50 |   AP75 |   APs |   APm |   APl |   params (M) |   GFLOPs |
|:----------|-------:|------:|-------:|-------:|-------:|------:|------:|------:|-------------:|---------:|
| yolox_s   |      1 | 40.00 |        |   60.0 |   50.0 |     - |  30.0 |  29.0 |         8.97 |    26.69 |
| a\\|b      |      1 | 40.00 |  +0.06 |   60.0 |   50.0 |     - |  30.0 |  29.0 |         8.97 |    26.69 |

AP in points (0-100) of the latest checkpoint; diff: AP minus that of yolox_s; GFLOPs at 640x320, 2 a multiply-add.

- One.
"""  # noqa: E501


def test_the_terminal_table() -> None:
    assert as_text(COMPARISON) == TEXT


def test_markdown_escapes_bars_and_has_no_column_of_missing_latencies() -> None:
    base = dataclasses.replace(BASELINE, latency=None)
    difference = Difference(figures(0.0006, 0, 0, None, 0, 0), (0,))
    other = dataclasses.replace(base, name="a|b", difference=difference)
    comparison = Comparison("yolox_s", (base, other), (640, 320), None, ("One.",))
    assert as_markdown(comparison) == MARKDOWN


def test_a_costlier_training_form_gets_a_column() -> None:
    dear = dataclasses.replace(CAM, gflops_training=99.0)
    text = as_text(dataclasses.replace(COMPARISON, variants=(BASELINE, dear)))
    head, _, base, cam = text.splitlines()[:4]
    assert "GFLOPs    in training" in head
    assert base.split()[-3:] == ["26.69", "101.3", "(99.9-120.0)"]
    assert cam.split()[-3:] == ["26.70", "99.00", "-"]


def test_csv_is_in_points_and_empty_where_undefined() -> None:
    base, cam = csv.DictReader(io.StringIO(as_csv(COMPARISON)))
    assert (base["variant"], base["attention"], base["runs"], base["seeds"]) == (
        "yolox_s",
        "none",
        "1",
        "0",
    )
    assert (base["AP"], base["APs"], base["APl"]) == ("40.0", "", "29.0")
    assert (base["AP_sd"], base["AP_difference"], base["latency_median_ms"]) == ("", "", "101.26")
    assert (cam["AP"], cam["AP_sd"], cam["AP_difference"]) == ("39.876", "1.234", "-0.124")
    assert (cam["seeds"], cam["parameters"], cam["gflops"]) == ("0 1", "9001000", "26.7")
    assert (cam["gflops_training"], cam["latency_low_ms"]) == ("", "")


def test_detections_from_elsewhere_have_no_column_of_parameters() -> None:
    bare = [
        dataclasses.replace(each, parameters=None, gflops=None, gflops_training=None, latency=None)
        for each in COMPARISON.variants
    ]
    comparison = dataclasses.replace(COMPARISON, variants=tuple(bare), test_size=None)
    text = as_text(comparison)
    assert text.splitlines()[0].split() == [
        *("variant", "runs", "AP", "diff", "AP50", "AP75", "APs", "APm", "APl")
    ]
    assert "GFLOPs" not in text
    assert list(csv.DictReader(io.StringIO(as_csv(comparison))))[1]["parameters"] == ""


def unwrapped(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_every_verdict_stands_before_any_table(seeds: int, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    comparison = judged_comparison(seeds)
    text, markdown = as_text(comparison), as_markdown(comparison)
    top = unwrapped(text[: text.index("-----")]), markdown[: markdown.index("| variant")]
    judged = comparison.judged()
    assert len(judged) == 5
    for _, found in judged:
        assert all(found.sentence in each for each in top)
    for each in (text, markdown):
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b", each)


def test_the_terminal_gets_two_screens_and_no_line_longer_than_it(monkeypatch) -> None:
    for width, most in ((80, 120), (160, 95)):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = as_text(judged_comparison(5)).splitlines()
        assert len(lines) <= most
        assert max(map(len, lines)) <= width


def test_the_whole_report_has_its_sections_in_order() -> None:
    heads = [line[3:] for line in as_markdown(judged_comparison(5)).splitlines() if "## " in line]
    assert heads == [
        "Verdicts against yolox_nano",
        "What would settle the open cases",
        "Results",
        "Differences seed by seed",
        "Where the noise comes from",
        "How far yolox_nano moves by its seed alone (A/A)",
        "Controls",
        "The same differences in other ways",
        "Other figures and classes (exploratory)",
        "What was built",
        "Cost of training",
        "Missing and failed runs",
        "Plan",
        "Data, software and hardware",
        "To repeat it",
        "Notes",
    ]


def test_an_odd_name_is_escaped_in_markdown_and_no_table_breaks() -> None:
    comparison = judged_comparison(3)
    odd = dataclasses.replace(comparison.variants[1], name="a_b|c%d")
    variants = (comparison.variants[0], odd, *comparison.variants[2:])
    markdown = as_markdown(dataclasses.replace(comparison, variants=variants))
    assert "| a_b\\|c%d " in markdown
    blocks = [block for block in markdown.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 10
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_a_baseline_alone_begins_with_its_noise() -> None:
    alone = dataclasses.replace(
        judged_comparison(5), variants=judged_comparison(5).variants[:1], family=()
    )
    assert as_text(alone).startswith("How far yolox_nano moves by its seed alone (A/A)\n====")
    assert as_markdown(alone).startswith("# Noise of yolox_nano\n\n## How far yolox_nano moves")
    assert "Verdicts" not in as_markdown(alone)
