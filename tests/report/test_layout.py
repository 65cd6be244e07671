from dataclasses import replace

from judged_comparison import judged_comparison
from yolox_attn.report.page import blocks, shown


def test_a_baseline_alone_begins_with_its_noise() -> None:
    judged = judged_comparison()
    alone = replace(judged, variants=judged.variants[:1], dropped=())
    assert [block.anchor for block in shown(blocks(alone), {})][:2] == ["floor", "results"]


def test_missing_runs_stand_before_any_table_and_empty_sections_nowhere() -> None:
    judged = judged_comparison()
    found = [block.anchor for block in shown(blocks(judged), {})]
    assert found[:2] == ["missing", "results"]
    assert "latency" not in found
    assert "latency" in [block.anchor for block in shown(blocks(judged), {"latency": "<svg/>"})]
    bare = [block.anchor for block in shown(blocks(replace(judged, dropped=())), {})]
    assert bare[0] == "results"
