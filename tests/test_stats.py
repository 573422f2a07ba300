"""Intervals that cover, pairs that tell apart, ties that are bold."""

import numpy as np
import pytest

from benchmark.stats import best, distinguishable, estimate

PROMPTS = ("a", "b", "c")


def sample(rng, mean, seeds=5, noise=1.0, prompt_effect=5.0):
    effect = dict(zip(PROMPTS, np.array([-1, 0, 1]) * prompt_effect, strict=True))
    return {(s, p): mean + effect[p] + noise * rng.normal() for s in range(seeds) for p in PROMPTS}


def test_interval_covers_the_mean():
    rng = np.random.default_rng(0)
    hits = sum(e.low <= 2.0 <= e.high for e in (estimate(sample(rng, 2.0, seeds=8)) for _ in range(200)))
    assert 170 <= hits <= 199  # percentile bootstrap on 24 values: near, and a little under, 95 %


def test_prompts_are_fixed_so_that_their_spread_does_not_widen_the_interval():
    e = estimate(sample(np.random.default_rng(1), 0.0, prompt_effect=100.0))
    assert e.high - e.low < 3


def test_one_seed_per_prompt_still_shows_a_spread_and_one_run_shows_none():
    e = estimate(sample(np.random.default_rng(1), 0.0, seeds=1, prompt_effect=100.0))
    assert e.high - e.low > 50
    one = estimate({(0, ""): 3.0})
    assert one.mean == 3.0
    assert np.isnan(one.low)
    with pytest.raises(ValueError, match="at least one"):
        estimate({})


def test_pairs_tell_apart_what_the_noise_of_the_seeds_hides():
    rng = np.random.default_rng(2)
    x = sample(rng, 0.0, noise=10.0)
    assert distinguishable({k: v + 0.1 for k, v in x.items()}, x)
    assert not distinguishable(sample(rng, 0.0), sample(rng, 0.0))
    assert not distinguishable({(0, "a"): 1.0}, {(0, "a"): 2.0})


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
