"""What a report says of a variant rests on hand-worked numbers from its paired runs."""

import numpy as np
import pytest
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import p_value, two_component
from yolox_attn.stats.judge import LEAST_IMAGES, explore, judge
from yolox_attn.stats.measured import Measured, Side, TestSet
from yolox_attn.stats.multiple_testing import benjamini_hochberg, holm
from yolox_attn.stats.verdict import Judgement, Terms
from yolox_attn.stats.weighted_ap import METRICS

IMAGES, REPLICATES = 300, 400
TEST = TestSet(IMAGES, ("thing",), (IMAGES,))
TERMS = Terms(replicates=REPLICATES)
BASE = (40.0, 40.3, 39.8, 40.1, 40.6, 39.9, 40.2)


def noise(name: str, scale: float) -> np.ndarray:
    """Of mean 0 and standard deviation `scale`, exactly, and another for each name."""
    drawn = np.random.default_rng(list(name.encode())).normal(0, 1, REPLICATES)
    return scale * (drawn - drawn.mean()) / drawn.std(ddof=1)


def run(ap: float, moved: np.ndarray) -> Measured:
    table = np.asarray(ap + moved)
    return Measured(
        dict.fromkeys(METRICS, ap),
        dict.fromkeys(METRICS, table),
        np.array([ap]),
        table[:, None],
    )


def baseline(seeds: int) -> Side:
    return Side("base", {s: run(BASE[s], noise("images", 2.0)) for s in range(seeds)})


def variant(name: str, gains, scale: float = 0.2, *, control: bool = False) -> Side:
    """One better by `gains`; beside the images' noise, its own of `scale`, whatever the seed."""
    moved = noise("images", 2.0) + noise(name, scale)
    runs = {seed: run(BASE[seed] + gain, moved) for seed, gain in enumerate(gains)}
    return Side(name, runs, control)


def judged(*sides: Side, seeds: int = 7, terms: Terms = TERMS) -> dict[str, Judgement | None]:
    return judge(baseline(seeds), sides, TEST, terms)


def one(gains, scale: float = 0.2, **options) -> Judgement:
    found = judged(variant("cam", gains, scale), **options)["cam"]
    assert found is not None
    return found


def raw_p(gains, scale: float = 0.2) -> float:
    return float(p_value(two_component(gains, scale, IMAGES)))


def test_difference_errors_and_interval_worked_by_hand():
    found = one([1.0, 1.6, 1.3])
    assert found.seeds == (0, 1, 2)
    assert found.differences == pytest.approx((0.010, 0.016, 0.013))
    assert found.difference == pytest.approx(0.013)
    assert found.seed_error == pytest.approx(0.003 / np.sqrt(3))
    assert found.image_error == pytest.approx(0.002)  # what both sides share has gone
    error = np.hypot(0.003 / np.sqrt(3), 0.002)
    freedom = error**4 / ((0.003 / np.sqrt(3)) ** 4 / 2 + 0.002**4 / 299)
    assert found.freedom == pytest.approx(freedom)
    for share, ends in ((0.975, found.interval), (0.95, found.narrow)):
        half = stats.t.ppf(share, freedom) * error
        assert ends == pytest.approx((0.013 - half, 0.013 + half))
    assert found.p_value == pytest.approx(2 * stats.t.sf(0.013 / error, freedom))
    half = stats.t.ppf(0.975, 299) * 0.002
    assert found.checkpoints == pytest.approx((0.013 - half, 0.013 + half))


@pytest.mark.parametrize(
    ("gains", "scale", "word", "amount"),
    [
        ([1.4, 1.5, 1.6], 0.2, "helps", "by a worthwhile amount"),
        ([0.2, 0.25, 0.3], 0.02, "helps", "by less than is worth having"),
        ([-1.0, -1.2, -0.9], 0.1, "hurts", "by a worthwhile amount"),
        ([0.1, -0.1, 0.0], 0.05, "no worthwhile difference", None),
        ([0.6, -0.4, 0.3], 0.3, "cannot tell", None),
        ([1.4, 1.5], 0.2, "cannot tell", None),
        ([1.4], 0.2, "cannot tell", None),
    ],
)
def test_each_verdict_its_sentence_and_what_would_settle_it(gains, scale, word, amount):
    found = one(gains, scale)
    assert (found.word, found.amount) == (word, amount)
    assert "cam" in found.sentence
    assert (word == "cannot tell") is found.sentence.startswith("Cannot tell")
    assert (found.settling is not None) is (word == "cannot tell")


def test_one_seed_says_nothing_of_seeds():
    found = one([1.4])
    unknown = (found.interval, found.narrow, found.seed_error, found.freedom)
    assert unknown == (None, None, None, None)
    assert (found.noise, found.detectable, found.sign_flip) == (None, None, None)
    assert (found.p_value, found.p_holm) == (1.0, 1.0)
    assert found.settling == (
        "Train at least 3 seeds of both sides: what one seed is worth is not known yet."
    )
    assert found.checkpoints[0] > 0  # these two checkpoints do differ


def test_one_seed_tells_of_its_checkpoints_and_no_more() -> None:
    found = one([0.9], 0.3)
    lower, upper = (100 * end for end in found.checkpoints)
    expected = (
        f"Of these two checkpoints alone, on images like these: 95 % interval {lower:+.2f} to"
    )
    assert found.sentence.endswith(f". {expected} {upper:+.2f} AP.")
    assert "checkpoints" not in one([0.9, 0.8, 0.7], 0.3).sentence
    assert "checkpoints" not in one([0.0], 0.0).sentence


def test_two_seeds_give_an_interval_and_no_verdict():
    found = one([1.4, 1.5])
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.p_value < 0.05
    assert (found.p_holm, found.word) == (1.0, "cannot tell")


def test_the_family_is_all_variants_without_controls_and_with_those_that_have_no_run():
    gains = {"cam": [0.9, 0.8, 0.7], "se": [0.5, 0.9, 0.2], "eca": [0.1, 0.3, -0.2]}
    sides = [variant(name, values) for name, values in gains.items()]
    placebo = variant("placebo", [0.9, 0.8, 0.7], control=True)
    stranger = Side("cbam", {99: run(41, noise("images", 2.0))})
    found = judged(*sides, placebo, stranger)
    assert list(found) == [*gains, "placebo", "cbam"]
    assert found["cbam"] is None
    expected = holm([*(raw_p(values) for values in gains.values()), 1.0])
    assert [found[name].p_holm for name in gains] == pytest.approx(expected[:3])
    assert found["placebo"].p_holm is None
    assert "Holm, 4 variants" in found["cam"].sentence
    assert "Holm" not in found["placebo"].sentence


def test_holm_decides_over_variants_and_a_control_stands_alone():
    """One p value between 0.0167 and 0.05: enough alone, too little as the best of three."""
    gains = [0.5, 0.6, 0.4]
    assert 0.05 / 3 < raw_p(gains) < 0.05
    others = [variant(name, [0.1, -0.2, 0.0]) for name in ("se", "eca")]
    control = variant("placebo", gains, control=True)
    found = judged(variant("cam", gains), *others, control)
    assert found["cam"].word == "cannot tell"
    assert found["placebo"].word == "helps"
    assert one(gains).word == "helps"


def test_one_with_too_few_seeds_is_in_the_family_all_the_same():
    """Its own p, however small, takes no step from the others: it can never be a verdict."""
    gains = [0.5, 0.6, 0.4]
    for few in ([0.5], [0.5, 0.5001]):
        found = judged(variant("cam", gains), variant("se", few))
        assert found["cam"].p_holm == pytest.approx(2 * raw_p(gains))
        assert found["se"].p_holm == 1.0


def test_controls_alone_are_judged_too():
    found = judged(variant("placebo", [0.1, 0.0, -0.1], 0.05, control=True))["placebo"]
    assert (found.word, found.p_holm) == ("no worthwhile difference", None)


def test_only_seeds_of_both_sides_count():
    side = variant("cam", [1.0, 1.6, 1.3, 2.0])
    runs = {seed: side.runs[seed] for seed in (3, 0, 2)} | {50: side.runs[1]}
    found = judged(Side("cam", runs))["cam"]
    assert found.seeds == (0, 2, 3)
    assert found.differences == pytest.approx((0.010, 0.013, 0.020))


def test_wins_ties_and_sign_flips():
    found = one([0.5, 0.0, -0.25, 0.5, 0.5, 0.25])
    assert (found.wins, found.ties) == (4, 1)
    assert found.probability == pytest.approx(4.5 / 6)
    assert found.probability_interval == pytest.approx(
        (stats.beta.ppf(0.025, 4, 3), stats.beta.ppf(0.975, 6, 1))
    )
    assert found.sign_flip == pytest.approx(12 / 64)  # 6 patterns reach +1.5, as many -1.5
    assert one([0.5, 0.4, 0.3, 0.5, 0.5]).sign_flip is None  # 5 seeds: never below 5 %


def test_the_noise_is_split_and_says_what_could_be_found():
    found = one([1.0, 1.6, 1.3])
    assert found.noise == pytest.approx(
        {"method_image": 0.002, "seed": 0.003, "seed_image": 0.0}, abs=1e-9
    )
    assert 0.013 > found.detectable > 2 * np.hypot(0.003 / np.sqrt(3), 0.002)
    more = judged(variant("cam", [1.0, 1.6, 1.3]), variant("se", [0.0, 0.1, 0.2]))["cam"]
    assert more.detectable > found.detectable  # the first step of Holm asks for more


def test_alpha_sets_every_interval_and_the_verdict():
    gains = [0.5, 0.6, 0.4]
    strict = one(gains, terms=Terms(alpha=0.01, replicates=REPLICATES))
    loose = one(gains)
    assert (strict.word, loose.word) == ("cannot tell", "helps")
    for name in ("interval", "narrow", "checkpoints", "crossed", "probability_interval"):
        (low, high), (inner_low, inner_high) = getattr(strict, name), getattr(loose, name)
        assert low < inner_low, name
        assert high > inner_high or high == inner_high == 1, name
    assert "99 % interval" in strict.sentence


def test_the_sesoi_sets_equivalence():
    gains, wide = [0.1, -0.1, 0.0], Terms(sesoi=2.0, replicates=REPLICATES)
    assert one(gains, 0.3).word == "cannot tell"
    assert one(gains, 0.3, terms=wide).word == "no worthwhile difference"
    assert one(gains, 0.3).p_equivalence > 0.05 > one(gains, 0.3, terms=wide).p_equivalence


def test_identical_runs_are_called_so():
    found = one([0.0, 0.0, 0.0], 0.0)
    assert (found.word, found.p_value) == ("no worthwhile difference", 1.0)
    assert (found.interval, found.crossed) == ((0.0, 0.0), (0.0, 0.0))
    assert "identical" in found.sentence


def test_the_crossed_bootstrap_is_the_same_each_time_and_follows_the_seed_of_the_terms():
    gains = [1.0, 1.6, 1.3]
    assert one(gains).crossed == one(gains).crossed
    assert one(gains).crossed != one(gains, terms=Terms(seed=1, replicates=REPLICATES)).crossed
    lower, upper = one(gains).crossed
    assert 0.005 < lower < 0.013 < upper < 0.02


def test_figures_and_classes_come_along():
    names = [each.name for each in one([1.0, 1.6, 1.3]).exploratory]
    assert names == ["AP50", "AP75", "APs", "APm", "APl", "thing"]


def test_an_ap_that_is_undefined_names_its_run():
    side = variant("cam", [1.0, 1.6, 1.3])
    table = side.runs[1].resampled["AP"].copy()
    table[:2] = np.nan
    runs = {**side.runs, 1: run(41, table - 41)}
    with pytest.raises(InputError, match=r"^AP of cam, seed 1, is undefined on 2 of 400 resamples"):
        judged(Side("cam", runs))
    runs = {**side.runs, 2: run(float("nan"), noise("images", 2.0))}
    with pytest.raises(InputError, match=r"^AP of cam, seed 2, is undefined: .* no object"):
        judged(Side("cam", runs))


CLASSES = ("cat", "dog", "owl")
IMAGES_EXPLORE = 200
REPLICATES_EXPLORE = 400
TEST_EXPLORE = TestSet(IMAGES_EXPLORE, CLASSES, (120, LEAST_IMAGES, LEAST_IMAGES - 1))
OTHERS = tuple(name for name in METRICS if name != "AP")


def run_explore(ap: float, seed: int, classes=(0.0, 0.0, 0.0)) -> Measured:
    """A run_explore of AP `ap` everywhere, plus `classes`; its resamples move by 1 point of their own."""
    noise = np.random.default_rng([seed, round(ap * 1000)]).normal(0, 1, REPLICATES_EXPLORE)
    by_class = ap + np.array(classes)
    return Measured(
        metrics={name: ap + place for place, name in enumerate(METRICS)},
        resampled={name: ap + place + noise for place, name in enumerate(METRICS)},
        by_class=by_class,
        class_resampled=by_class + noise[:, None],
    )


def sides(gains, classes=(0.0, 0.0, 0.0)) -> tuple[Side, Side]:
    baseline = Side("base", {seed: run_explore(40, seed) for seed in range(len(gains))})
    runs = {seed: run_explore(40 + gain, seed, classes) for seed, gain in enumerate(gains)}
    return baseline, Side("block", runs)


def explored(baseline: Side, side: Side, test: TestSet = TEST_EXPLORE) -> dict:
    return {each.name: each for each in explore(baseline, side, test)}


def changed(side: Side, seed: int, **fields) -> Side:
    values = {**vars(side.runs[seed]), **fields}
    return Side(side.name, {**side.runs, seed: Measured(**values)})


def test_every_figure_but_the_primary_one_then_every_class():
    found = explore(*sides([1.0, 1.2, 1.1]), TEST_EXPLORE)
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
    freedom = error**4 / (from_seeds**2 / 2 + from_images**2 / (IMAGES_EXPLORE - 1))
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
    nowhere = {**side.runs[1].metrics, "APs": float("nan")}
    classes = np.array([41.1, np.nan, np.nan])
    found = explored(baseline, changed(side, 1, metrics=nowhere, by_class=classes))
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


def test_only_seeds_of_both_sides_count_explore():
    baseline, side = sides([1.0, 1.2, 1.4])
    more = Side("block", {**side.runs, 7: run_explore(90, 7)})
    assert explore(baseline, more, TEST_EXPLORE) == explore(baseline, side, TEST_EXPLORE)


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
    for each in explore(baseline, Side("block", moved), TEST_EXPLORE):
        assert each.difference == pytest.approx(0.01)
        assert (each.interval, each.p_adjusted) == (None, None)
