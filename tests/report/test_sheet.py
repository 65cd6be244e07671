import csv
import io
from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.output import as_csv


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
