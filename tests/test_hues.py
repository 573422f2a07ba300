"""A method's colour and marker are its own, in every picture and for ever."""

import itertools

from benchmark.report.hues import PALETTE, hue_of
from methods import TABLE

# (colour, marker) by place in the palette; what is here must not change
PINNED = {
    "bilevel": (0, "o"),
    "random": (1, "o"),
    "default": (2, "o"),
    "grid": (3, "o"),
    "bayesian": (4, "o"),
    "gp": (5, "o"),
    "tpe": (6, "o"),
    "cmaes": (7, "o"),
    "hyperband": (8, "o"),
    "asha": (9, "o"),
    "successive_halving": (0, "s"),
    "pbt": (1, "s"),
    "freeze_thaw": (2, "s"),
    "qmc": (3, "s"),
    "t1t2": (4, "s"),
    "neumann": (5, "s"),
    "cg": (6, "s"),
    "unrolled": (7, "s"),
    "f2sa": (8, "s"),
    "es": (9, "s"),
    "design": (0, "^"),
    "optuna": (1, "^"),
}


def test_built_in_methods_have_theirs():
    assert list(PINNED) == list(TABLE)
    for name, (colour, marker) in PINNED.items():
        assert hue_of(name) == (PALETTE[colour], marker), name


def test_others_have_no_built_in_marker_and_the_same_in_every_process():
    assert hue_of("mine") == (PALETTE[3], "*")
    assert {hue_of(f"mine_{k}")[1] for k in range(50)} == set("PX*p")


def test_the_first_ten_differ_for_the_colour_blind():
    # Vienot et al. 1999: linear RGB as seen without red, or without green, cones
    blind = (
        ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
        ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
    )
    linear = [[(int(h[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)] for h in PALETTE]
    for matrix in blind:
        seen = [
            [
                max(0.0, sum(m * v for m, v in zip(row, rgb, strict=True))) ** (1 / 2.2)
                for row in matrix
            ]
            for rgb in linear
        ]
        nearest = min(
            sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5
            for one, other in itertools.combinations(seen, 2)
        )
        assert nearest > 0.05
