from dataclasses import replace

from judged_comparison import judged_comparison

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.layout import placed

FIVE = judged_comparison(5)


def shown(comparison: Comparison) -> list[str]:
    return [place.anchor for place, section in placed(comparison) if section.parts]


def test_missing_runs_stand_before_any_table_and_empty_sections_nowhere() -> None:
    assert shown(FIVE)[:4] == ["verdicts", "settling", "missing", "results"]
    assert shown(replace(FIVE, dropped=()))[:3] == ["verdicts", "settling", "results"]
    assert "curves" not in shown(FIVE)  # a figure alone


def test_a_baseline_alone_begins_with_its_noise_after_the_warnings() -> None:
    alone = replace(FIVE, variants=FIVE.variants[:1], dropped=())
    assert shown(alone)[:2] == ["seed-noise", "results"]
    assert shown(replace(alone, pending=1))[:2] == ["verdicts", "seed-noise"]


def test_anchors_are_unique() -> None:
    anchors = [place.anchor for place, _ in placed(FIVE)]
    assert len(set(anchors)) == len(anchors)
