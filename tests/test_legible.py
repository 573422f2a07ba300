"""Every picture of every task can be read: one method and many, one seed and several."""

import tarfile

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import PLOTS, TASKS
from benchmark.report.drawing import figure_of
from benchmark.report.look import STYLE
from benchmark.report.table import tables
from benchmark.runs.runner import run_one
from benchmark.store.store import Store
from speed.rewards import number
from tests.legible import faults
from tests.made import made
from tests.test_drawn_again import RESULTS

MANY = "bilevel,random,default,grid,gp,tpe,cmaes,hyperband,asha,successive_halving,pbt,qmc"
BUDGET = {
    "kinds": "600nfe",
    "noise_schedule": "6000nfe",
    "replay": "21120nfe",
    "sampling": "900nfe",
    "tilted": "100nfe",
}


def wrong(runs):
    """By picture, what is wrong with it."""
    found = {}
    for table in tables(runs):
        for name in PLOTS.complete():
            figure = figure_of(name, table)
            if figure is not None:
                found[name] = faults(figure)
    assert found
    return {name: lines for name, lines in found.items() if lines}


def ran(folder, method, task, seeds="0", **words):
    store = Store(folder)
    for spec in plan(method, task, seeds=seeds, **words):
        run_one(spec, store, quiet=True)
    return [run for run in store if run.done]


def of(runs, method):
    return [run for run in runs if run.run["spec"]["method"] == method]


def test_on_a_toy(tmp_path):
    runs = ran(tmp_path, MANY, "quadratic", "0-1", budget="600nfe")
    assert not wrong(runs)
    assert not wrong(of(runs, "bilevel"))


def test_long_prompts_are_broken_and_cut(tmp_path):
    """As people write them for a picture; one of no spaces too."""
    photo = "a portrait photo of an old fisherman with a long grey beard at the harbour, 85mm, "
    shades = [np.full((8, 32, 32, 3), 60 * k, np.uint8) for k in (1, 2)]
    for prompt in (photo * 5, photo.title(), "x" * 300):
        made(tmp_path, prompt=prompt, images=shades)
    (table,) = tables(Store(tmp_path))
    figure = figure_of("samples", table)
    assert not faults(figure)
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert sorted(t.count("\n") for t in titles) == [1, 2, 2]
    assert sum(t.endswith(" …”") for t in titles) >= 1


def test_lam_is_drawn_within_the_range_that_was_searched(tmp_path):
    runs = ran(tmp_path, "default", "quadratic", budget="60nfe")
    (table,) = tables(runs)
    axes = {axis["name"]: axis for axis in runs[0].run["space"]}
    figure = figure_of("lam_over_time", table)
    shown = {panel.get_ylabel(): panel.get_ylim() for panel in figure.axes if panel.get_ylabel()}
    assert set(shown) == set(axes)
    for name, (low, high) in shown.items():
        width = axes[name]["high"] - axes[name]["low"]
        assert axes[name]["low"] - 0.3 * width <= low <= axes[name]["low"]
        assert axes[name]["high"] <= high <= axes[name]["high"] * 1.3 + 0.3 * width


@pytest.mark.parametrize("task", sorted(BUDGET))
def test_on_a_task(task, tmp_path):
    small = [f"{task}.{k}={v}" for k, v in TASKS.get(task).smallest.items()]
    runs = ran(tmp_path, "default,random", task, budget=BUDGET[task], settings=small)
    assert not wrong(runs)
    assert not wrong(of(runs, "random"))


def test_options_of_one_method(tmp_path):
    runs = []
    for k in range(6):
        settings = [f"bilevel.gamma={k + 1}"]
        runs += ran(tmp_path / str(k), "bilevel", "quadratic", budget="300nfe", settings=settings)
    assert not wrong(runs)


def test_on_reward_ft(tmp_path):
    """Of those that are shipped: one reward and eight, on the bank."""
    with tarfile.open(RESULTS / "reward_ft" / "rewards" / "runs.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    runs = [run for run in Store(tmp_path) if run.run["spec"]["lower"] == "importance"]
    for size in (1, 8):
        assert not wrong([run for run in runs if number(run) == size])


def test_as_many_rows_as_there_are_methods(tmp_path):
    """All end at one place, and nothing is cut off."""
    runs = ran(tmp_path, "default", "quadratic", "0-1", budget="60nfe")
    for k in range(21):
        words = {"budget": "60nfe", "settings": [f"random.trials={k + 50}"]}
        runs += ran(tmp_path / str(k), "random", "quadratic", "0-1", **words)
    (table,) = tables(runs)
    assert len(table.rows) == 22
    assert not wrong(runs)


def test_what_is_wrong_is_seen():
    figure = Figure()
    (one, other), (alone, _) = figure.subplots(2, 2)
    one.set_xscale("log")
    one.set_xlim(0.5, 100)
    one.text(0.5, 0.5, "a long text", transform=one.transAxes)
    one.text(0.52, 0.51, "over a text", transform=one.transAxes)
    other.set_xticks([0.5])
    other.errorbar([0, 1], [0, 1], yerr=[1, 1], label="with bars")
    other.legend()
    alone.tick_params(labelbottom=False)
    alone.plot([0, 1], [0, 1], label="a line")
    alone.set_xlim(0.5, 2)
    figure.legend(loc="center")
    figure.text(2, 0.5, "far away").set_in_layout(False)
    assert matplotlib.rcParams["text.parse_math"]
    found = " ".join(faults(figure))
    for words in (
        "raw mathematics",
        "'a long text' over 'over a text'",
        "ticks ['0.5']",
        "handle",
        "no labels",
        "beyond its axes",
        "over what is drawn",
        "'far away' is not on the paper",
    ):
        assert words in found, words


def test_panels_may_have_the_labels_of_a_neighbour_in_line():
    figure = Figure()
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    assert not faults(figure)
    grid[1][1].tick_params(labelbottom=False)
    assert [line.split(" ")[0] for line in faults(figure)] == ["x", "x"]


def test_the_size_is_that_of_what_is_written():
    # on a screen it has fewer than 4,000 pixels
    figure = Figure(figsize=(46, 2), dpi=STYLE["figure.dpi"])
    figure.subplots()
    assert "inches" in faults(figure)[-1]
