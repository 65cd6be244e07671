"""What is judged of a variant rests on hand-worked numbers from its paired runs."""

import numpy as np
import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import Paired, estimate, image_interval, interval, p_value
from yolox_attn.stats.jackknife import ImageNoise
from yolox_attn.stats.judge import LEAST_IMAGES, judge
from yolox_attn.stats.measured import Measured, Side, TestSet
from yolox_attn.stats.multiple_testing import benjamini_hochberg, holm
from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import Exploratory, Judgement
from yolox_attn.stats.weighted_ap import AP_METRICS

IMAGES, REPLICATES = 300, 400
CLASSES = ("cat", "dog", "owl")
TEST = TestSet(IMAGES, IMAGES, CLASSES, (120, LEAST_IMAGES, LEAST_IMAGES - 1))
TERMS = Terms(replicates=REPLICATES)
BASE = (40.0, 40.3, 39.8, 40.1, 40.6, 39.9, 40.2)
OTHERS = ["AP50", "AP75", "APs", "APm", "APl"]


def noise(name: str, scale: float) -> np.ndarray:
    """Of mean 0 and standard deviation `scale`, exactly, and another for each name."""
    drawn = np.random.default_rng(list(name.encode())).normal(0, 1, REPLICATES)
    return scale * (drawn - drawn.mean()) / drawn.std(ddof=1)


def run(ap: float, moved: np.ndarray, classes=(0.0, 0.0, 0.0)) -> Measured:
    """Every metric is `ap`, every class that and its own of `classes`.

    In the resamples all is `moved`; with images left out by as much less as the jackknife undoes.
    """
    by_class = ap + np.array(classes)
    left_out = moved * np.sqrt(moved.size) / (moved.size - 1)
    return Measured(
        dict.fromkeys(AP_METRICS, ap),
        dict.fromkeys(AP_METRICS, ap + moved),
        dict.fromkeys(AP_METRICS, ap + left_out),
        by_class,
        by_class + left_out[:, None],
    )


def baseline(seeds: int) -> Side:
    return Side("base", {s: run(BASE[s], noise("images", 2.0)) for s in range(seeds)})


def variant(name: str, gains, scale: float = 0.2, *, control: bool = False, **classes) -> Side:
    """One better by `gains`; its resamples have the baseline's noise and its own of `scale`."""
    moved = noise("images", 2.0) + noise(name, scale)
    runs = {seed: run(BASE[seed] + gain, moved, **classes) for seed, gain in enumerate(gains)}
    return Side(name, runs, control)


def judged(*sides: Side, seeds: int = 7, terms: Terms = TERMS) -> dict[str, Judgement | None]:
    return judge(baseline(seeds), sides, TEST, terms)


def one(gains, scale: float = 0.2, **options) -> Judgement:
    result = judged(variant("cam", gains, scale), **options)["cam"]
    assert result is not None
    return result


def explored(side: Side) -> dict[str, Exploratory]:
    return {each.name: each for each in judged(side)[side.name].exploratory}


def changed(side: Side, seed: int, **fields) -> Side:
    values = {**vars(side.runs[seed]), **fields}
    return Side(side.name, {**side.runs, seed: Measured(**values)})


def expected(gains, scale: float = 0.2) -> Paired:
    """What is known of these gains where the images do the same to every seed."""
    return estimate(gains, ImageNoise(*3 * [np.array(scale**2)]), IMAGES)


def raw_p(gains, scale: float = 0.2) -> float:
    return float(p_value(expected(gains, scale)))


def test_difference_errors_and_intervals_are_those_of_the_paired_seeds_and_the_jackknife():
    found, paired = one([1.0, 1.6, 1.3]), expected([1.0, 1.6, 1.3])
    assert found.seeds == (0, 1, 2)
    assert found.differences == pytest.approx((0.010, 0.016, 0.013))
    assert found.difference == pytest.approx(0.013)
    assert found.seed_error == pytest.approx(0.003 / np.sqrt(3))
    assert found.image_error == pytest.approx(0.002)  # what both sides share has gone
    assert (found.images, found.effective) == (IMAGES, IMAGES)
    assert found.p_value == pytest.approx(float(p_value(paired)))
    for ends, values in (
        (found.interval, interval(paired)),
        (found.narrow, interval(paired, 0.9)),
        (found.checkpoints, image_interval(paired)),
    ):
        assert ends == pytest.approx([float(end) / 100 for end in values])


@pytest.mark.parametrize(
    ("gains", "scale", "word", "amount"),
    [
        ([1.4, 1.5, 1.6], 0.2, "helps", "by a worthwhile amount"),
        ([0.2, 0.25, 0.3], 0.02, "helps", "by less than is worth having"),
        ([-1.0, -1.2, -0.9], 0.1, "hurts", "by a worthwhile amount"),
        ([0.1, -0.1, 0.0], 0.05, "no worthwhile difference", None),
        ([0.6, -0.4, 0.3], 0.3, "cannot tell", None),
        ([1.0, 1.0, 1.0], 0.0, "cannot tell", None),  # a difference without noise
        ([1.4, 1.5], 0.2, "cannot tell", None),
        ([1.4], 0.2, "cannot tell", None),
    ],
)
def test_the_verdict_and_whether_something_would_settle_it(gains, scale, word, amount):
    found = one(gains, scale)
    assert (found.word, found.amount) == (word, amount)
    is_open_with_known_noise = word == "cannot tell" and len(gains) > 1 and scale > 0
    assert (found.settling is not None) is is_open_with_known_noise


def test_one_seed_says_nothing_of_seeds():
    found = one([1.4])
    assert (found.interval, found.narrow, found.seed_error) == (None, None, None)
    assert (found.noise, found.detectable, found.sign_flip) == (None, None, None)
    assert (found.p_value, found.p_holm) == (1.0, 1.0)
    assert found.checkpoints[0] > 0  # these two checkpoints do differ


def test_two_seeds_give_an_interval_and_no_verdict():
    found = one([1.40, 1.41])
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.p_value < 0.05
    assert (found.p_holm, found.word) == (1.0, "cannot tell")


def test_the_family_is_all_variants_without_controls_and_with_those_that_have_no_run():
    gains = {"cam": [0.9, 0.8, 0.7], "se": [0.5, 0.9, 0.2], "eca": [0.1, 0.3, -0.2]}
    sides = [variant(name, values) for name, values in gains.items()]
    placebo = variant("placebo", [0.9, 0.8, 0.7], control=True)
    unpaired = Side("cbam", {99: run(41, noise("images", 2.0))})
    found = judged(*sides, placebo, unpaired)
    assert list(found) == [*gains, "placebo", "cbam"]
    assert found["cbam"] is None
    adjusted = holm([*(raw_p(values) for values in gains.values()), 1.0])
    assert [found[name].p_holm for name in gains] == pytest.approx(adjusted[:3])
    assert found["placebo"].p_holm is None
    assert (found["cam"].family, found["placebo"].family) == (4, 1)


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
    assert [each.difference for each in found.exploratory] == pytest.approx([0.043 / 3] * 8)


def test_wins_ties_and_sign_flips():
    found = one([0.5, 0.0, -0.25, 0.5, 0.5, 0.25])
    assert (found.wins, found.ties) == (4, 1)
    assert found.probability == pytest.approx(4.5 / 6)
    assert found.probability_interval == (clopper_pearson(4, 6)[0], clopper_pearson(5, 6)[1])
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


def test_the_sesoi_sets_equivalence():
    gains, wide = [0.1, -0.1, 0.0], Terms(sesoi=2.0, replicates=REPLICATES)
    assert one(gains, 0.3).word == "cannot tell"
    assert one(gains, 0.3, terms=wide).word == "no worthwhile difference"
    assert one(gains, 0.3).p_equivalence > 0.05 > one(gains, 0.3, terms=wide).p_equivalence


def test_identical_runs_are_called_so():
    found = one([0.0, 0.0, 0.0], 0.0)
    assert (found.word, found.p_value) == ("no worthwhile difference", 1.0)
    assert (found.interval, found.crossed) == ((0.0, 0.0), (0.0, 0.0))
    assert found.identical


def test_the_crossed_bootstrap_is_the_same_each_time_and_follows_the_seed_of_the_terms():
    gains = [1.0, 1.6, 1.3]
    assert one(gains).crossed == one(gains).crossed
    assert one(gains).crossed != one(gains, terms=Terms(seed=1, replicates=REPLICATES)).crossed
    lower, upper = one(gains).crossed
    assert 0.005 < lower < 0.013 < upper < 0.02


def test_an_ap_that_is_undefined_names_its_run():
    side = variant("cam", [1.0, 1.6, 1.3])
    table = side.runs[1].resampled["AP"].copy()
    table[:2] = np.nan
    runs = {**side.runs, 1: run(41, table - 41)}
    with pytest.raises(InputError, match=r"^AP of cam, seed 1, is undefined on 4 of 800 resamples"):
        judged(Side("cam", runs))
    runs = {**side.runs, 2: run(float("nan"), noise("images", 2.0))}
    with pytest.raises(InputError, match=r"^AP of cam, seed 2, is undefined: .* no object"):
        judged(Side("cam", runs))


def test_every_metric_but_the_judged_one_is_explored_then_every_class():
    found = one([1.0, 1.6, 1.3]).exploratory
    assert [each.name for each in found] == [*OTHERS, *CLASSES]
    assert [each.kind for each in found] == ["metric"] * 5 + ["class"] * 3
    assert [each.images for each in found] == [None] * 5 + [120, 30, 29]


def test_a_metric_of_the_same_numbers_has_the_interval_of_ap_and_another_its_own():
    side = variant("cam", [1.0, 1.6, 1.3])
    ap = judged(side)["cam"]
    own = side.runs[0]
    metrics = {**own.metrics, "AP75": BASE[0] + 4}
    more = noise("more", 5.0) / np.sqrt(REPLICATES)
    left_out = {**own.left_out, "APs": own.left_out["APs"] + more}
    every = {seed: {**side.runs[seed].left_out, "APs": left_out["APs"]} for seed in side.runs}
    for seed, table in every.items():
        side = changed(side, seed, left_out=table)
    found = explored(changed(side, 0, metrics=metrics))
    assert (found["AP50"].difference, found["AP50"].interval) == (ap.difference, ap.interval)
    assert found["AP75"].difference == pytest.approx(0.023)
    assert found["APs"].interval[0] < ap.interval[0]
    assert found["cat"].interval == ap.interval


def test_p_values_are_adjusted_over_the_metrics_and_over_the_classes_apart():
    gains = np.array([1.1, 0.9, 1.4])
    side = variant("cam", gains, 0.5, classes=(0.3, -0.9, 0.0))
    found = explored(changed(side, 0, metrics={**side.runs[0].metrics, "AP75": BASE[0] - 3}))
    cat, dog = raw_p(gains + 0.3, 0.5), raw_p(gains - 0.9, 0.5)  # owl has none: too few images
    assert [found[name].p_adjusted for name in ("cat", "dog")] == pytest.approx([2 * cat, dog])
    raw = [raw_p(gains, 0.5)] * 4 + [raw_p([-3, *gains[1:]], 0.5)]
    names = ["AP50", "APs", "APm", "APl", "AP75"]
    assert [found[name].p_adjusted for name in names] == pytest.approx(benjamini_hochberg(raw))


def test_a_class_on_fewer_than_30_images_gets_its_difference_alone():
    found = explored(variant("cam", [2.0, 2.0, 2.3]))
    assert found["dog"].interval is not None
    assert found["owl"].difference == pytest.approx(0.021)
    assert (found["owl"].interval, found["owl"].p_adjusted) == (None, None)


def test_what_a_side_does_not_have_is_unknown():
    side = variant("cam", [1.0, 1.1, 1.2])
    nowhere = {**side.runs[1].metrics, "APs": float("nan")}
    classes = np.array([41.1, np.nan, np.nan])
    found = explored(changed(side, 1, metrics=nowhere, by_class=classes))
    for name in ("APs", "dog", "owl"):
        each = found[name]
        assert (each.difference, each.interval, each.p_adjusted) == (None, None, None)
    assert found["APm"].p_adjusted is not None
    assert found["cat"].p_adjusted is not None


def test_a_class_that_one_image_alone_shows_leaves_no_interval():
    side = variant("cam", [1.0, 1.3, 1.5])
    table = side.runs[0].class_left_out.copy()
    table[7, 0] = np.nan
    found = explored(changed(side, 0, class_left_out=table))["cat"]
    assert found.difference == pytest.approx(0.0380 / 3)
    assert (found.interval, found.p_adjusted) == (None, None)


@pytest.mark.parametrize(("gains", "scale"), [([1.0], 0.2), ([1.0, 1.0, 1.0], 0.0)])
def test_one_seed_or_no_noise_leaves_the_differences_alone(gains, scale):
    for each in explored(variant("cam", gains, scale)).values():
        assert each.difference == pytest.approx(0.01)
        assert (each.interval, each.p_adjusted) == (None, None)


def test_two_seeds_explore_an_interval_and_no_p_value():
    found = explored(variant("cam", [1.0, 1.2]))["AP50"]
    assert found.interval is not None
    assert found.p_adjusted is None


def test_noise_of_one_seed_on_these_images_stands_in_the_seeds_part_alone():
    """Its own moves differ from seed to seed, so no two seeds have them in common."""
    runs = {}
    for seed, gain in enumerate([1.0, 1.6, 1.3, 1.2]):
        own = noise("images", 2.0) + noise(f"own {seed}", 0.5)
        runs[seed] = run(BASE[seed] + gain, own)
    found = judged(Side("cam", runs))["cam"]
    assert found.image_error < 0.0015
    assert found.noise["seed_image"] == pytest.approx(0.005, rel=0.05)
    low, high = found.checkpoints
    assert (high - low) / 2 == pytest.approx(0.005, rel=0.15)  # 1.97 x 0.5 / sqrt(4)


@pytest.mark.parametrize(("effective", "word"), [(9.9, "cannot tell"), (10.0, "helps")])
def test_fewer_than_ten_effective_groups_give_no_verdict_and_count_in_the_family(effective, word):
    test = TestSet(40, effective, CLASSES, (120, 30, 29), grouped=True)
    sides = [variant("cam", [1.4, 1.5, 1.6]), variant("se", [0.1, -0.2, 0.0])]
    found = judge(baseline(7), sides, test, TERMS)
    assert found["cam"].word == word
    assert (found["cam"].p_holm == 1.0) is (word == "cannot tell")


def test_what_pairing_brought_is_said_from_five_seeds_on():
    assert one([1.0, 1.6, 1.3, 1.2]).pairing is None
    found = one([1.0, 1.02, 0.98, 1.01, 1.0]).pairing
    assert found.correlation > 0.99
    assert found.interval[0] > 0.9
    assert found.saved > 0.99
