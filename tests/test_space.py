"""Axes, the unit cube and the chain rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.space import Float, Integer, Space

AXES = [Float("x", -3, 5, 0.0), Float("l", 0.01, 100, 10.0, log=True, grid=(0.01, 1, 100)), Integer("n", 2, 9, 4)]


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
    assert axis.slope(u) == pytest.approx((axis.native(u + h) - axis.native(u - h)) / (2 * h), rel=1e-6)


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
    ):
        with pytest.raises(ValueError, match="axis"):
            make()
