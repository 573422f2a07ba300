"""Intervals that cover, marks that rarely lose a best row, and what is not claimed with few
seeds.
"""

import numpy as np
import pytest
from scipy import stats

from benchmark.report.stats import beaten, best, difference, enough, estimate
from speed.calibration import NOISES, covers, table

PROMPTS = ("a", "b", "c")


def sample(rng, mean, seeds=5, noise=1.0, prompt_effect=5.0):
    effect = dict(zip(PROMPTS, np.array([-1, 0, 1]) * prompt_effect, strict=True))
    return {(s, p): mean + effect[p] + noise * rng.normal() for s in range(seeds) for p in PROMPTS}


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("prompts", [1, 3])
def test_intervals_cover_95_percent_of_normal_noise(seeds, prompts):
    rng = np.random.default_rng(seeds)
    found = np.mean([covers(NOISES["normal"], rng, seeds, prompts) for _ in range(4000)])
    assert abs(found - 0.95) <= 0.015  # a standard error is 0.0035


@pytest.mark.parametrize("shape", [(5, 5, 3), (8, 5, 3), (6, 5, 1), (6, 3, 1)])
def test_equal_rows_rarely_lose_their_mark(shape):
    rng = np.random.default_rng(7)
    lost = [len(best(table(NOISES["normal"], rng, shape), True)) < shape[0] for _ in range(400)]
    assert np.mean(lost) <= 0.06


def test_a_row_that_is_better_is_told_apart():
    rng = np.random.default_rng(8)
    kept = [best(table(NOISES["normal"], rng, (5, 5, 3), better=2.0), True) for _ in range(50)]
    assert all("row 0" in k for k in kept)
    assert sum(k == {"row 0"} for k in kept) > 40


def test_the_corrected_p_says_what_the_marks_say():
    rng = np.random.default_rng(4)
    for better in (0.0, 1.0, 3.0):
        for shape in ((4, 5, 1), (5, 4, 2)):
            rows = table(NOISES["normal"], rng, shape, better=better)
            p = beaten(rows, True)
            assert set(p) == set(rows)
            assert all(0 <= v <= 1 for v in p.values())
            assert {name for name, v in p.items() if v > 0.05} == best(rows, True)
    two = {
        "a": {(s, ""): float(s) for s in range(5)},
        "b": {(s, ""): s + 1 + 0.1 * s for s in range(5)},
    }
    # Holm over both rows: the one-sided p of the paired test, twice
    expected = 2 * stats.ttest_rel([*two["b"].values()], [*two["a"].values()]).pvalue / 2
    assert beaten(two, True)["b"] == pytest.approx(expected, rel=1e-3)
    assert beaten(two, True)["a"] > 0.99
    assert beaten({"a": {(0, ""): 1.0}, "b": {(0, ""): 2.0}}, True) == {}


def test_one_prompt_is_students_t():
    x = np.random.default_rng(0).normal(size=7)
    found = estimate({(k, ""): v for k, v in enumerate(x)})
    low, high = stats.t.interval(0.95, 6, x.mean(), stats.sem(x))
    assert (found.mean, found.low, found.high) == pytest.approx((x.mean(), low, high))
    other = x + np.random.default_rng(1).normal(size=7)
    paired = difference(*({(k, ""): v for k, v in enumerate(row)} for row in (x, other)))
    expected = stats.ttest_rel(x, other)
    interval = expected.confidence_interval()
    assert (paired.p, paired.low, paired.high) == pytest.approx(
        (expected.pvalue, interval.low, interval.high)
    )
    assert paired.n == 7


def test_prompts_are_fixed_so_that_their_spread_does_not_widen_the_interval():
    e = estimate(sample(np.random.default_rng(1), 0.0, prompt_effect=100.0))
    assert e.high - e.low < 3


def test_a_prompt_with_one_seed_borrows_the_spread_of_the_others_and_keeps_its_weight():
    """Easy, middle, hard at 5, 10, 30: the mean stays 15 when the hard prompt has one seed, and the
    interval narrow.
    """
    full = {
        (s, p): m + 0.03 * (s - 2)
        for s in range(5)
        for p, m in zip(PROMPTS, (5.0, 10.0, 30.0), strict=True)
    }
    thin = {c: v for c, v in full.items() if c[1] != "c" or c[0] == 2}
    whole, found = estimate(full), estimate(thin)
    assert found.mean == pytest.approx(15.0)
    assert whole.high - whole.low < found.high - found.low < 0.2


def test_one_seed_of_each_prompt_shows_no_spread():
    for values in (sample(np.random.default_rng(1), 0.0, seeds=1), {(0, ""): 3.0}):
        e = estimate(values)
        assert e.mean == pytest.approx(np.mean(list(values.values())))
        assert np.isnan(e.low)
        assert np.isnan(e.high)
    with pytest.raises(ValueError, match="at least one"):
        estimate({})


def test_pairs_tell_apart_what_the_noise_of_the_seeds_hides():
    rng = np.random.default_rng(2)
    x = sample(rng, 0.0, noise=10.0)
    found = difference({k: v + 0.1 for k, v in x.items()}, x)
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.p == 0
    assert difference(sample(rng, 0.0), sample(rng, 0.0)).p > 0.05
    assert difference(x, x).p == 1
    # no spread: whichever way
    higher = {k: v + 480 for k, v in {(s, "a"): 7.0 for s in range(5)}.items()}
    lower = dict.fromkeys(higher, 7.0)
    assert difference(higher, lower).p == difference(lower, higher).p == 0
    assert difference({(0, "a"): 1.0}, {(1, "a"): 2.0}) is None
    assert np.isnan(difference({(0, "a"): 1.0}, {(0, "a"): 2.0}).p)


def test_best_marks_every_tie():
    rng = np.random.default_rng(3)
    base = sample(rng, 0.0)
    rows = {
        "top": base,
        "tie": {k: v + rng.normal() * 0.1 for k, v in base.items()},
        "far": {k: v + 3 for k, v in base.items()},
        "none": {},
    }
    assert best(rows, lower_is_better=True) == {"top", "tie"}
    assert best(rows, lower_is_better=False) == {"far"}
    assert best({}, True) == set()


def test_rounding_is_no_difference():
    rng = np.random.default_rng(4)
    base = sample(rng, 10.0)
    rows = {"one": base, "two": {k: v * (1 + 1e-15) for k, v in base.items()}}
    assert best(rows, True) == {"one", "two"}


def test_nothing_is_marked_below_three_paired_seeds():
    rng = np.random.default_rng(5)
    two = {name: sample(rng, mean, seeds=2) for name, mean in (("low", 0.0), ("high", 50.0))}
    assert not enough(two.values())
    assert best(two, True) == set()
    three = {name: sample(rng, mean, seeds=3) for name, mean in (("low", 0.0), ("high", 50.0))}
    assert best(three, True) == {"low"}
    apart = {"low": three["low"], "high": {(s + 3, p): v for (s, p), v in three["high"].items()}}
    assert best(apart, True) == set()
    assert best({"low": three["low"]}, True) == set()
