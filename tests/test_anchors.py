"""The table of `python -m speed --table`, on comparisons with a known answer."""

import math

import pytest

from speed.anchors import Anchor, page
from speed.outer_step import OURS, RELEASED, bound, compared
from speed.plain_loop import Loops
from speed.timing import Compared, compare
from tasks.reward_ft import RewardFt

TWICE = Compared([(1.0, 2.0), (2.0, 4.4), (1.0, 1.8)])


def test_a_ratio_is_a_geometric_mean_with_students_interval():
    logs = [math.log(r) for r in (2.0, 2.2, 1.8)]
    mean = sum(logs) / 3
    deviation = math.sqrt(sum((x - mean) ** 2 for x in logs) / 2)
    half = 4.302653 * deviation / math.sqrt(3)
    expected = [math.exp(mean), math.exp(mean - half), math.exp(mean + half)]
    assert TWICE.interval == pytest.approx(expected, rel=1e-5)
    assert TWICE.medians == (1.0, 2.0)


def test_both_sides_are_timed_in_turn_after_a_warm_up():
    calls = []
    clock = iter(range(100))
    found = compare(lambda: calls.append("A"), lambda: calls.append("B"), 2, lambda: next(clock))
    assert calls == ["A", "B"] * 3
    assert found.ratios == [1.0, 1.0]


def test_a_goal_is_met_where_the_whole_interval_is_and_the_reason_is_given_only_where_it_is_not():
    text = page(
        [
            Anchor("fast", "ours", "theirs", TWICE, 1.5, "never shown"),
            Anchor("near", "ours", "theirs", TWICE, 1.9, "never shown"),
            Anchor("slow", "ours", "theirs", TWICE, 3, "Both do the same."),
            Anchor("free", "ours", "theirs", TWICE),
        ],
        "A machine.",
    )
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    fast, near, slow, free = lines[2:]
    assert "1.99 [1.55, 2.56]" in fast
    assert fast.endswith("| 1.5: met |")
    assert near.endswith("| 1.9: met by the mean |")
    assert slow.endswith("| 3: not met |")
    assert free.endswith("| none |")
    assert "- Both do the same." in text
    assert "never shown" not in text


def test_parts_of_an_outer_step_are_added_by_their_counts():
    parts = {name: [10.0**k] for k, name in enumerate(sorted({*OURS, *RELEASED}))}
    ours, theirs = (
        sum(count * parts[name][0] for name, count in counts.items()) for counts in (OURS, RELEASED)
    )
    assert compared(parts).pairs == [(ours, theirs)]
    kept = sum(OURS[name] * parts[name][0] for name in ("training step", "d_q G"))
    assert bound(parts) == theirs / kept


@pytest.mark.parametrize("guided", [False, True])
def test_the_loop_of_diffusers_parts_makes_the_same_images(guided):
    loops = Loops(RewardFt(mode="direct", images=2, steps=3))
    assert loops.gap(guided) < 1e-4
    assert loops.plain(guided).std() > 0.01
