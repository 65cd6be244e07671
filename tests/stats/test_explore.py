import numpy as np
import pytest
from scipy import stats

from yolox_attn.stats.judge import LEAST_IMAGES, explore
from yolox_attn.stats.measured import Measured, Side, TestSet
from yolox_attn.stats.multiple_testing import benjamini_hochberg
from yolox_attn.stats.weighted_ap import FIGURES

CLASSES = ("cat", "dog", "owl")
IMAGES = 200
REPLICATES = 400
TEST = TestSet(IMAGES, CLASSES, (120, LEAST_IMAGES, LEAST_IMAGES - 1))
OTHERS = tuple(name for name in FIGURES if name != "AP")


def run(ap: float, seed: int, classes=(0.0, 0.0, 0.0)) -> Measured:
    """A run of AP `ap` everywhere, plus `classes`; its resamples move by 1 point of their own."""
    noise = np.random.default_rng([seed, round(ap * 1000)]).normal(0, 1, REPLICATES)
    by_class = ap + np.array(classes)
    return Measured(
        figures={name: ap + place for place, name in enumerate(FIGURES)},
        resampled={name: ap + place + noise for place, name in enumerate(FIGURES)},
        by_class=by_class,
        class_resampled=by_class + noise[:, None],
    )


def sides(gains, classes=(0.0, 0.0, 0.0)) -> tuple[Side, Side]:
    baseline = Side("base", {seed: run(40, seed) for seed in range(len(gains))})
    runs = {seed: run(40 + gain, seed, classes) for seed, gain in enumerate(gains)}
    return baseline, Side("block", runs)


def explored(baseline: Side, side: Side, test: TestSet = TEST) -> dict:
    return {each.name: each for each in explore(baseline, side, test)}


def changed(side: Side, seed: int, **fields) -> Side:
    values = {**vars(side.runs[seed]), **fields}
    return Side(side.name, {**side.runs, seed: Measured(**values)})


def test_every_figure_but_the_primary_one_then_every_class():
    found = explore(*sides([1.0, 1.2, 1.1]), TEST)
    assert [each.name for each in found] == [*OTHERS, *CLASSES]
    assert [each.kind for each in found] == ["figure"] * 5 + ["class"] * 3
    assert [each.images for each in found] == [None] * 5 + [120, 30, 29]


def test_difference_and_interval_as_fractions_worked_by_hand():
    gains = np.array([1.0, 2.0, 1.8])
    baseline, side = sides(gains)
    found = explored(baseline, side)["AP50"]
    table = [side.runs[s].resampled["AP50"] - baseline.runs[s].resampled["AP50"] for s in range(3)]
    from_images = np.mean(table, axis=0).var(ddof=1)
    from_seeds = gains.var(ddof=1) / 3
    error = np.sqrt(from_seeds + from_images)
    freedom = error**4 / (from_seeds**2 / 2 + from_images**2 / (IMAGES - 1))
    half = stats.t.ppf(0.975, freedom) * error
    assert found.difference == pytest.approx(0.016)
    assert found.interval == pytest.approx(((1.6 - half) / 100, (1.6 + half) / 100))


def test_p_values_are_adjusted_over_the_figures_and_over_the_classes_apart():
    baseline, side = sides([2.1, 1.9, 2.4], classes=(3.0, -1.9, 0.0))
    found = explored(baseline, side)
    raw = {}
    for name in ("cat", "dog"):  # owl has none: too few images
        place = CLASSES.index(name)
        values = [side.runs[s].by_class[place] - baseline.runs[s].by_class[place] for s in range(3)]
        table = [
            side.runs[s].class_resampled[:, place] - baseline.runs[s].class_resampled[:, place]
            for s in range(3)
        ]
        from_seeds, from_images = np.var(values, ddof=1) / 3, np.mean(table, axis=0).var(ddof=1)
        freedom = (from_seeds + from_images) ** 2 / (from_seeds**2 / 2 + from_images**2 / 199)
        score = abs(np.mean(values)) / np.sqrt(from_seeds + from_images)
        raw[name] = 2 * stats.t.sf(score, freedom)
    expected = benjamini_hochberg(list(raw.values()))
    assert [found[name].p_adjusted for name in raw] == pytest.approx(expected)
    assert found["cat"].p_adjusted == pytest.approx(2 * raw["cat"])
    figures = [found[name].p_adjusted for name in OTHERS]
    assert figures == pytest.approx([max(figures)] * 5)  # equal noise: the largest raw p serves all


def test_a_class_on_fewer_than_30_images_gets_its_difference_alone():
    found = explored(*sides([2.0, 2.0, 2.3]))
    assert found["dog"].interval is not None
    owl = found["owl"]
    assert owl.difference == pytest.approx(0.021)
    assert (owl.interval, owl.p_adjusted) == (None, None)


def test_what_a_side_does_not_have_is_unknown():
    baseline, side = sides([1.0, 1.1, 1.2])
    nowhere = {**side.runs[1].figures, "APs": float("nan")}
    classes = np.array([41.1, np.nan, np.nan])
    found = explored(baseline, changed(side, 1, figures=nowhere, by_class=classes))
    for name in ("APs", "dog", "owl"):
        each = found[name]
        assert (each.difference, each.interval, each.p_adjusted) == (None, None, None)
    assert found["APm"].p_adjusted is not None
    assert found["cat"].p_adjusted is not None


def test_resamples_without_the_class_are_left_out_and_too_many_leave_no_interval():
    baseline, side = sides([1.0, 1.3, 1.5])
    for missing, known in ((20, True), (21, False)):  # of 400: 5 % and more
        table = side.runs[0].class_resampled.copy()
        table[:missing, 0] = np.nan
        each = explored(baseline, changed(side, 0, class_resampled=table))["cat"]
        assert each.difference == pytest.approx(0.0380 / 3)
        assert (each.interval is not None) is known
        assert (each.p_adjusted is not None) is known


def test_only_seeds_of_both_sides_count():
    baseline, side = sides([1.0, 1.2, 1.4])
    more = Side("block", {**side.runs, 7: run(90, 7)})
    assert explore(baseline, more, TEST) == explore(baseline, side, TEST)


def test_one_seed_gives_differences_alone_and_no_noise_no_interval():
    single = explored(*sides([1.0]))
    assert all(each.interval is None and each.p_adjusted is None for each in single.values())
    assert single["AP75"].difference == pytest.approx(0.01)
    baseline, _ = sides([0.0, 0.0])
    moved = {
        seed: Measured(
            {k: v + 1 for k, v in each.figures.items()},
            {k: v + 1 for k, v in each.resampled.items()},
            each.by_class + 1,
            each.class_resampled + 1,
        )
        for seed, each in baseline.runs.items()
    }
    for each in explore(baseline, Side("block", moved), TEST):
        assert each.difference == pytest.approx(0.01)
        assert (each.interval, each.p_adjusted) == (None, None)
