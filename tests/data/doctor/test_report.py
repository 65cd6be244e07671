import json

import pytest

from yolox_attn.data.doctor import Finding, Report
from yolox_attn.data.doctor.report import finding
from yolox_attn.errors import InputError

WARNING = Finding("warning", "tiny", "val", "boxes too small", 2, ("a|b", "c"))
ERRORS = [Finding("error", code, "train", f"{code} found", 1, ("x",)) for code in ("one", "two")]


def test_lines_go_from_the_worst_to_the_mildest():
    repaired = Finding("repaired", "clipped", "train", "boxes clipped", 7)
    report = Report([repaired, WARNING, *ERRORS])
    assert report.lines() == [
        "error    train: one found: 1 (x)",
        "error    train: two found: 1 (x)",
        "warning  val: boxes too small: 2 (a|b, c)",
        "repaired train: boxes clipped: 7",
    ]


def test_only_errors_refuse_and_in_one_line():
    Report([WARNING]).refuse()
    with pytest.raises(
        InputError, match=r"train: one found: 1 \(x\); and 1 more kind of error;"
    ) as caught:
        Report([WARNING, *ERRORS]).refuse()
    assert "\n" not in str(caught.value)


def test_what_counts_nothing_is_left_out():
    report = Report([finding("error", "none", "val", "nothing", [])])
    assert (report.findings, report.lines()) == ([], [])
    assert "Nothing was found." in report.as_markdown()


def test_a_few_examples_of_many_are_kept():
    many = finding("warning", "many", "val", "many", map(str, range(100)))
    assert (many.count, many.examples) == (100, ("0", "1", "2", "3", "4"))
    assert many.line.endswith("100 (0, 1, 2, ...)")


def test_json_and_markdown_hold_all():
    report = Report([WARNING, *ERRORS])
    content = json.loads(json.dumps(report.as_dict()))
    assert (content["errors"], content["warnings"], len(content["findings"])) == (2, 1, 3)
    assert "| warning | val | boxes too small | 2 | a\\|b, c |" in report.as_markdown()


def test_what_is_so_or_not_is_not_counted():
    bare = Finding("error", "none", "val", "no images", 1, counted=False)
    assert bare.line == "val: no images"


def test_a_line_is_one_printable_line():
    line = Finding("warning", "odd", "val", "odd\0names", 1, ("a\nb\x1b[31m",)).line
    assert line == "val: odd\\x00names: 1 (a\\nb\\x1b[31m)"


def test_the_tally_counts_in_words():
    assert Report(ERRORS[:1]).tally.startswith("1 kind of error,")
    assert Report(ERRORS).tally.startswith("2 kinds of error,")
