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
