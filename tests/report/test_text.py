import re
from dataclasses import replace
from itertools import pairwise

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import Comparison, as_markdown, as_text
from yolox_attn.report.format import Bullets, Cell, Code, Grid, Section
from yolox_attn.report.text import escape, to_markdown, to_text

FIVE = judged_comparison(5)
GRID = Grid(
    ["variant", "AP", "a verdict"],
    [["a_b", Cell("1.0", 1.0), "yes"], ["c", Cell("22.5", 22.5), "no"]],
)


def unjudged(comparison: Comparison) -> Comparison:
    variants = [replace(each, judgement=None) for each in comparison.variants]
    return replace(comparison, variants=tuple(variants), terms=None, family=(), seed_noise=None)


def titles(text: str) -> list[str]:
    lines = text.splitlines()
    return [head for head, rule in pairwise(lines) if set(rule) == {"="}]


def test_a_terminal_gets_narrow_columns_and_wrapped_prose() -> None:
    assert to_text([Section("One", ("Prose.", GRID, Bullets(["word " * 20])))], 80) == (
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
    text = to_text([Section("One", (Grid(heads, rows),))], 80)
    tables = text.removeprefix("One\n===\n").split("\n\n")
    assert len(tables) == 4
    assert all(each.startswith("variant") and "\ncam" in each for each in tables)
    assert max(map(len, text.splitlines())) <= 80
    assert [text.count(f"column {place}") for place in range(10, 20)] == [1] * 10
    assert len(to_text([Section("One", (Grid(heads, rows),))], 300).split("\n\n")) == 1


def test_a_terminal_of_no_width_is_taken_to_have_80_columns() -> None:
    assert max(map(len, to_text([Section("One", ("word " * 60,))], 0).splitlines())) > 70


def test_a_section_with_nothing_in_it_is_not_shown() -> None:
    sections = [Section("Nothing", ()), Section("Something", ("Here.",))]
    assert to_text(sections, 80) == "Something\n=========\nHere."
    assert to_markdown("T", sections) == "# T\n\n## Something\n\nHere.\n"


def test_markdown_takes_no_name_for_a_mark() -> None:
    assert escape("a_b|c%d") == "a_b\\|c%d"
    assert escape("_a_ *b* `c` <br> p < 0.1 [x] $y$ ~z~ back\\") == (
        "\\_a\\_ \\*b\\* \\`c\\` \\<br> p < 0.1 \\[x\\] \\$y\\$ \\~z\\~ back\\\\"
    )


def test_markdown_tables_escape_heads_and_cells_and_keep_text_that_looks_like_a_number() -> None:
    grid = Grid(["a|b", "x"], [["c|d", Cell("+1.50", 1.5)]])
    assert to_markdown("T", [Section("S", (grid, Bullets(["e|f"])))]) == (
        "# T\n\n## S\n\n| a\\|b   |     x |\n|:-------|------:|\n| c\\|d   | +1.50 |\n\n- e\\|f\n"
    )


def test_commands_stay_as_they_are() -> None:
    section = Section("S", (Code(["python a_b.py *.json | tee log"]),))
    assert to_text([section], 80).endswith("\n  python a_b.py *.json | tee log")
    assert "```\npython a_b.py *.json | tee log\n```" in to_markdown("T", [section])


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_every_verdict_stands_before_any_table(seeds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    comparison = judged_comparison(seeds)
    text, markdown = as_text(comparison), as_markdown(comparison)
    tops = " ".join(text.partition("-----")[0].split()), markdown.partition("| variant")[0]
    for variant, _ in comparison.judged():
        assert all(str(variant.sentence) in top for top in tops)
    for each in (text, markdown):
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b", each)


@pytest.mark.parametrize(("width", "most"), [(80, 120), (160, 95)])
def test_the_terminal_gets_two_screens_and_no_line_longer_than_it(
    width: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = as_text(FIVE).splitlines()
    assert len(lines) <= most
    assert max(map(len, lines)) <= width


def test_the_whole_report_has_its_sections_in_order_and_the_terminal_the_first_things() -> None:
    heads = [
        "Verdicts against yolox_nano",
        "What would settle the open cases",
        "Missing and failed runs",
        "Results",
        "Differences seed by seed",
        "Where the noise comes from",
        "How far yolox_nano moves by its seed alone (A/A)",
        "Controls",
        "The same differences in other ways",
        "Other metrics and classes (exploratory)",
        "What was built",
        "Cost of training",
        "Plan",
        "Data, software and hardware",
        "To repeat it",
        "Notes",
    ]
    assert re.findall("(?m)^## (.*)", as_markdown(FIVE)) == heads
    assert titles(as_text(FIVE)) == [*heads[:7], "Notes"]


def test_a_study_without_verdicts_shows_what_is_missing_its_plan_and_how_to_go_on() -> None:
    waiting = replace(unjudged(FIVE), pending=2)
    text, markdown = as_text(waiting), as_markdown(waiting)
    assert titles(text) == [
        *("No verdict", "Missing and failed runs", "Results", "Plan", "To repeat it", "Notes")
    ]
    for each in (text, markdown):
        top = each.partition("Results")[0]
        assert "INTERIM: 2 planned runs are still to come." in top
        assert "yolox_nano_eca seed 7: failed" in top
        assert "3f" * 32 in each
        assert "python tools/study.py run studies/cells" in each
    assert titles(as_text(replace(waiting, plan=None))) == [
        *("No verdict", "Missing and failed runs", "Results", "Notes")
    ]


def test_a_baseline_alone_is_called_noise() -> None:
    alone = replace(FIVE, variants=FIVE.variants[:1], family=(), dropped=())
    assert as_text(alone).startswith("How far yolox_nano moves by its seed alone (A/A)\n====")
    assert as_markdown(alone).startswith("# Noise of yolox_nano\n\n## How far yolox_nano moves")
    assert "erdict" not in as_markdown(alone)


def test_an_odd_name_is_escaped_in_markdown_and_no_table_breaks() -> None:
    odd = replace(FIVE.variants[1], name="a_b|c%d")
    variants = (FIVE.variants[0], odd, *FIVE.variants[2:])
    markdown = as_markdown(replace(FIVE, variants=variants))
    assert "| a_b\\|c%d " in markdown
    blocks = [block for block in markdown.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 11
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
