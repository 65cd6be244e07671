import json
from dataclasses import replace
from pathlib import Path

import pytest
from judged_comparison import judged_comparison

from yolox_attn.cli import main
from yolox_attn.errors import InputError
from yolox_attn.report import write_comparison
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.figures.forest import draw_forests
from yolox_attn.report.merge import merge, read_studies, sections, write_merged
from yolox_attn.report.text import to_text
from yolox_attn.stats.pooling import pool

FIVE = judged_comparison(5)
CAM = FIVE.variants[1]


def moved(variant: Variant, shift: float) -> Variant:
    found = variant.judgement
    interval = tuple(end + shift for end in found.interval)
    found = replace(found, difference=found.difference + shift, interval=interval)
    return replace(variant, judgement=found)


def study(truth: str, shift: float = 0.0, **changes: object) -> Comparison:
    """The same study on other images, its differences moved by `shift`, a fraction."""
    variants = [moved(each, shift) if each.judgement else each for each in FIVE.variants]
    data = {**FIVE.data, "truth_sha256": truth}
    return replace(FIVE, variants=tuple(variants), data=data, **changes)


def with_cam(comparison: Comparison, cam: Variant) -> Comparison:
    variants = (comparison.variants[0], cam, *comparison.variants[2:])
    return replace(comparison, variants=variants)


def test_a_block_on_three_data_sets_is_pooled_as_the_statistics_say():
    found = merge({"cells": study("a"), "boats": study("b", 0.01), "birds": study("c", -0.004)})
    assert [each.name for each in found] == [each.name for each in FIVE.variants[1:]]
    cam = found[0]
    judged = CAM.judgement
    error = (judged.seed_error**2 + judged.image_error**2) ** 0.5
    effects = [judged.difference + shift for shift in (0, 0.01, -0.004)]
    assert cam.pooled == pool(effects, [error] * 3)
    assert [(each.study, each.seeds, each.word) for each in cam.results] == [
        ("cells", 5, "helps"), ("boats", 5, "helps"), ("birds", 5, "helps")
    ]  # fmt: skip
    assert cam.left_out == ()


def test_a_data_set_counts_once_by_most_seeds_then_by_the_earlier_plan():
    later = replace(FIVE.plan, created="2027-01-01T00:00:00+00:00")
    few = judged_comparison(3)
    few = replace(few, data={**few.data, "truth_sha256": "a"})
    again = {"late": study("a", 0.5, plan=later), "few": few, "first": study("a"), "b": study("b")}
    cam = merge(again)[0]
    assert [each.study for each in cam.results] == ["first", "b"]
    assert cam.left_out == tuple(
        f"{name}: its data set counts already, by first" for name in ("late", "few")
    )


def test_a_name_for_two_blocks_is_refused_and_says_what_differs():
    other = replace(CAM, built=(replace(CAM.built[0], options={"reduction": 8}), *CAM.built[1:]))
    with pytest.raises(
        InputError, match=r"yolox_nano_cam is another block in b than in a: .*reduc"
    ):
        merge({"a": study("a"), "b": with_cam(study("b"), other)})
    later = replace(CAM, attention="cam, identity")
    with pytest.raises(InputError, match="cam there, cam, identity here"):
        merge({"a": study("a"), "b": with_cam(study("b"), later)})


def test_one_block_under_two_names_is_one_block():
    renamed = with_cam(study("b"), replace(CAM, name="mine"))
    cam = merge({"a": study("a"), "b": renamed})[0]
    assert (cam.name, len(cam.results)) == ("yolox_nano_cam / mine", 2)


def test_nothing_in_common_is_refused_and_one_seed_is_left_out():
    with pytest.raises(InputError, match="no block was judged on two data sets"):
        merge({"a": study("a"), "again": study("a")})
    single = replace(judged_comparison(1), data={"truth_sha256": "b"})
    with pytest.raises(InputError, match="no block was judged"):
        merge({"a": study("a"), "b": single})


def test_the_report_has_a_table_of_all_and_a_section_a_block(tmp_path: Path):
    merged = merge({"cells": study("a"), "boats": study("b", 0.01)})
    table, cam, *_ = sections(merged)
    assert table.parts[0].headers == ["block", "cells", "boats", "mean", "95 % interval"]
    assert table.parts[0].rows[0][:4] == ["yolox_nano_cam", "+1.73", "+2.73", "+2.23"]
    text = to_text([cam], 100)
    assert "On 2 data sets its mean effect is +2.23 AP" in text
    assert "another such study" not in text  # of two no prediction
    written = write_merged(tmp_path, merged)
    assert [path.name for path in written][:2] == ["merged.md", "merged.json"]
    assert len(written) == 2 + len(merged) == 2 + len(draw_forests(merged))
    stored = json.loads((tmp_path / "merged.json").read_text())
    assert stored["blocks"][0]["pooled"]["effect"] == merged[0].pooled.effect


def test_studies_are_read_from_folders_and_files(tmp_path: Path, capsys):
    for name, truth in (("one", "a"), ("two", "b"), ("three", "c")):
        write_comparison(tmp_path / name / "report", study(truth, 0.001 * len(name)))
    paths = [tmp_path / "one", tmp_path / "two" / "report"]
    paths.append(tmp_path / "three" / "report" / "comparison.json")
    assert list(read_studies(paths)) == ["one", "two", "three"]
    assert main(["study", "merge", *map(str, paths), "-o", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "Blocks on data sets" in out
    assert "95 % prediction interval of another such study" in out
    assert (tmp_path / "out" / "figures" / "forest_1.svg").is_file()
    assert main(["study", "merge", str(tmp_path)]) == 2
    assert "no comparison.json there" in capsys.readouterr().err
    with pytest.raises(InputError, match="another study called one"):
        read_studies([paths[0], paths[0] / "report"])
