"""Axes, the unit cube and the chain rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.space import Choice, Float, Integer, Space

AXES = [
    Float("x", -3, 5, 0.0),
    Float("l", 0.01, 100, 10.0, log=True, grid=(0.01, 1, 100)),
    Integer("n", 2, 9, 4),
]
LOG = Integer("k", 1, 1000, 20, grid=(1, 30, 1000), log=True)


@pytest.mark.parametrize("axis", AXES[:2])
@given(u=st.floats(0, 1))
def test_float_axes_invert(axis, u):
    value = axis.native(u)
    assert axis.low <= value <= axis.high
    assert axis.unit(value) == pytest.approx(u, abs=1e-9)


@pytest.mark.parametrize("axis", AXES[:2])
@pytest.mark.parametrize("u", [0.1, 0.5, 0.9])
def test_slope_is_the_derivative(axis, u):
    h = 1e-6
    assert axis.slope(u) == pytest.approx(
        (axis.native(u + h) - axis.native(u - h)) / (2 * h), rel=1e-6
    )


@given(u=st.floats(0, 1))
def test_integers_are_whole_in_range_and_invert(u):
    axis = AXES[2]
    value = axis.native(u)
    assert value == int(value)
    assert axis.low <= value <= axis.high
    assert axis.native(axis.unit(value)) == value


def test_integer_cells_are_equal():
    values = [AXES[2].native(u) for u in np.linspace(0, 1, 8001)]
    counts = np.bincount(np.array(values, int))[2:]
    assert counts.max() - counts.min() <= 2


@st.composite
def integers(draw):
    """Whole-number axes of both scales, up to the widest."""
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -(10**12), 10**12 - 1))
    high = draw(st.integers(low + 1, 10**12))
    return Integer("n", low, high, low, log=log)


@given(axis=integers(), data=st.data())
def test_every_integer_is_reached_from_the_middle_of_its_cell(axis, data):
    value = data.draw(st.integers(axis.low, axis.high))
    u = axis.unit(value)
    assert 0 < u < 1
    found = axis.native(u)
    assert type(found) is int
    assert found == value
    half = 0.4 * axis.width(u)
    assert axis.native(u - half) == axis.native(u + half) == value


@given(axis=integers(), u=st.floats(0, 1))
def test_a_point_lies_in_the_cell_of_its_value(axis, u):
    value = axis.native(u)
    assert axis.low <= value <= axis.high
    # where a cell ends is rounded
    assert abs(axis.unit(value) - u) <= axis.width(u) / 2 + 1e-12
    assert axis.native(axis.unit(value)) == value


@given(axis=integers())
def test_both_ends_of_a_whole_number_axis_are_reached(axis):
    assert (axis.native(0.0), axis.native(1.0)) == (axis.low, axis.high)


def test_cells_on_the_logarithm_are_as_wide_as_half_a_value_to_either_side():
    whole = np.log(1000.5 / 0.5)
    values = [LOG.native(u) for u in np.linspace(0, 1, 100_001)]
    assert set(values[:70_000]) == set(range(1, max(values[:70_000]) + 1))
    for value in (1, 2, 10, 100):
        expected = np.log((value + 0.5) / (value - 0.5)) / whole
        assert values.count(value) / 1e5 == pytest.approx(expected, abs=2e-5)
        assert LOG.width(LOG.unit(value)) == pytest.approx(expected)
    # a decade has the same share of the axis, but for the half a value at its ends
    assert sum(100 <= v < 1000 for v in values) == pytest.approx(np.log(10) / whole * 1e5, rel=0.01)


@pytest.mark.parametrize("u", [0.6, 0.8, 0.95])
def test_the_slope_of_a_whole_number_is_the_unrounded_values(u):
    """Secants over many cells, where rounding does not matter."""
    axis = Integer("n", 1, 10**12, 1, log=True)
    h = 1e-4
    secant = (axis.native(u + h) - axis.native(u - h)) / (2 * h)
    assert axis.slope(u) == pytest.approx(secant, rel=1e-3)
    assert AXES[2].slope(u) == 8.0


def test_a_logarithmic_integer_in_a_space():
    space = Space((Float("x", 0, 1, 0.5), LOG, Integer("n", 0, 3, 1), Choice("c", ("s", "t"), "s")))
    lam = space.default()
    native = space.native(lam)
    assert native == {"x": 0.5, "k": 20, "n": 1, "c": "s"}
    assert [type(v) for v in native.values()] == [float, int, int, str]
    assert np.array_equal(space.point(native), lam)
    # what an earlier version stored
    assert np.array_equal(space.point({"x": 0.5, "k": 20.0, "n": 1.0, "c": "s"}), lam)
    assert list(space.widths(lam)) == [
        0.0,
        pytest.approx(np.log(20.5 / 19.5) / 7.601, 1e-3),
        0.25,
        0,
    ]
    pulled = space.pullback(lam, {"x": 1.0, "k": 1.0, "n": 1.0})
    assert list(pulled) == [1.0, pytest.approx(20 * 7.601, rel=1e-2), 4.0, 0.0]
    assert {p["k"] for p in map(space.native, space.grid())} == {1, 30, 1000}


def test_space_maps_points_and_gradients():
    space = Space(tuple(AXES))
    assert space.native(space.default()) == pytest.approx({"x": 0.0, "l": 10.0, "n": 4})
    lam = np.array([0.25, 0.5, 0.5])
    assert space.native(lam)["l"] == pytest.approx(1.0)
    pulled = space.pullback(lam, {"x": 2.0, "l": 3.0, "n": 1.0})
    assert pulled == pytest.approx([16.0, 3.0 * np.log(1e4), 8.0])
    assert len(space.grid(4)) == 4 * 3 * 4


@pytest.mark.parametrize("lam", [[0.5, 0.5], [0.5, 0.5, 1.1], [0.5, np.nan, 0.5]])
def test_points_outside_the_cube_are_refused(lam):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        Space(tuple(AXES)).native(np.array(lam))


def test_bad_axes_are_refused():
    for make in (
        lambda: Float("a", 1, 0, 0.5),
        lambda: Float("a", 0, 1, 0.5, log=True),
        lambda: Float("a", 0, 1, 2.0),
        lambda: Integer("n", 3, 3, 3),
        lambda: Integer("n", 0, 3, 4),
        lambda: Integer("n", 0, 3, 1, log=True),
        lambda: Integer("n", 1, 3, 1.5),
        lambda: Integer("n", 1, 3, 1, grid=(float("nan"),)),
        lambda: Integer("n", 1, 10**13, 1),
    ):
        with pytest.raises(ValueError, match="axis"):
            make()
