"""Where the runs of a reference report are shipped, today's code draws all of it from them."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.report import drawing
from benchmark.report.report import report_folder, rewrite
from benchmark.spec import make_task
from benchmark.store.store import Store
from speed import hypergradients_report, knots, modes, sampling, scale
from speed.cuts import cuts
from speed.rewards import curve, draw, guided, number
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.recipe import axes
from tasks.noise_schedule.recipe import response as schedule_response
from tasks.reward_ft import RewardFt, shipped
from tasks.reward_ft.recipe import response as lam_response
from tests.legible import faults

RESULTS = Path(__file__).parent.parent / "results"
SHIPPED = sorted(
    path.parent.relative_to(RESULTS)
    for path in RESULTS.rglob("runs.tar.xz")
    if (path.parent / "table1.md").exists()
)
REWARDS = RESULTS / "reward_ft" / "rewards"
TEXTS = ("runs.csv", "table1.md", "table1.tex", "paper.tex")
# their last digits come of sums, whose order is the machine's
NUMBERS = ("statistics.csv", "differences.csv")


def test_there_are_shipped_runs():
    assert Path("noise_schedule/trials") in SHIPPED


@pytest.mark.parametrize("report", SHIPPED, ids=str)
def test_a_report_is_drawn_again_from_its_runs(report, tmp_path, monkeypatch):
    """And each of its pictures can be read."""
    wrong = {}

    def finish(figure, path):
        if found := faults(figure):
            wrong[path.name] = found
        return own(figure, path)

    own = drawing.finish
    monkeypatch.setattr(drawing, "finish", finish)
    across = json.loads((RESULTS / report / "report.json").read_text())["across"]
    with tarfile.open(RESULTS / report / "runs.tar.xz") as packed:
        packed.extractall(tmp_path / "runs", filter="data")
    formats = ("md", "csv", "latex")
    report_folder(tmp_path / "runs", tmp_path / "report", formats=formats, across=across)
    assert not wrong
    # the shipped ones are of the digits of their runs.csv
    rewrite(tmp_path / "report")
    drawn = {p.relative_to(tmp_path / "report"): p for p in (tmp_path / "report").rglob("*.*")}
    assert drawn
    for name, path in drawn.items():
        stored = RESULTS / report / name
        assert stored.is_file(), name
        if path.suffix == ".png":
            same_picture(path, stored)
        elif name.name in TEXTS:
            assert path.read_text() == stored.read_text(), name
        elif name.name in NUMBERS:
            same_numbers(path, stored)


def test_the_picture_of_several_rewards_is_drawn_again(tmp_path):
    with tarfile.open(REWARDS / "runs.tar.xz") as packed:
        packed.extractall(tmp_path / "runs", filter="data")
    runs = [r for r in Store(tmp_path / "runs") if r.done]
    rows = pd.read_csv(REWARDS / "reach.csv")
    assert len(runs) == len(rows) == 200
    best = {
        (r.run["spec"]["lower"], number(r), r.run["spec"]["method"], r.run["spec"]["seed"]): r
        for r in runs
    }
    for row in rows.itertuples():
        found = curve(best[row.lower, row.rewards, row.method, row.seed])
        assert found[-1, 1] == pytest.approx(row.best_f, rel=1e-4)
        there = found[found[:, 1] >= row.optimum - row.half_width]
        if row.lower == "guided":
            assert np.isnan(row.reached_after)
        # the file has five digits
        elif abs(row.best_f - row.optimum + row.half_width) > 1e-2:
            assert bool(len(there)) == np.isfinite(row.reached_after)
    compared, stored = cuts(guided(runs)), pd.read_csv(REWARDS / "cuts.csv")
    pd.testing.assert_frame_equal(compared, stored, rtol=2e-3, atol=1e-6, check_dtype=False)
    draw(runs, rows, tmp_path / "rewards.png")
    same_picture(tmp_path / "rewards.png", REWARDS / "rewards.png")


def test_the_picture_of_samplers_is_drawn_again(tmp_path):
    folder = RESULTS / "sampling"
    with tarfile.open(folder / "runs.tar.xz") as packed:
        packed.extractall(tmp_path / "runs", filter="data")
    found = sampling.rows_of([r for r in Store(tmp_path / "runs") if r.done])
    rows = pd.read_csv(folder / "rows.csv")
    pd.testing.assert_frame_equal(found, rows, rtol=1e-4, check_dtype=False)
    compared = pd.DataFrame(sampling.against(rows))
    stored = pd.read_csv(folder / "against.csv")
    pd.testing.assert_frame_equal(compared, stored, rtol=5e-3, atol=1e-12, check_dtype=False)
    sampling.draw(rows, tmp_path / "sampling.png")
    same_picture(tmp_path / "sampling.png", folder / "sampling.png")


def test_the_picture_of_the_axes_is_drawn_again(tmp_path):
    folder = RESULTS / "noise_schedule" / "axes"
    options = {k: v for k, v in NoiseSchedule.presets["trials"].items() if "." not in k}
    space = make_task("noise_schedule", options).space
    places = dict(zip((a.name for a in space.axes), space.default().tolist(), strict=True))
    axes.draw(pd.read_csv(folder / "axes.csv"), places, tmp_path / "axes.png")
    same_picture(tmp_path / "axes.png", folder / "axes.png")


def test_the_picture_of_knots_is_drawn_again(tmp_path):
    folder = RESULTS / "noise_schedule" / "knots"
    runs = []
    for name in ("trials", "knots"):
        with tarfile.open(folder.parent / name / "runs.tar.xz") as packed:
            packed.extractall(tmp_path / name, filter="data")
        runs += list(Store(tmp_path / name))
    rows = pd.read_csv(folder / "rows.csv")
    pd.testing.assert_frame_equal(knots.rows_of(runs), rows, rtol=1e-5, check_dtype=False)
    assert rows.groupby(["knots", "method"]).size().eq(5).all()
    compared = pd.DataFrame(knots.against(rows))
    stored = pd.read_csv(folder / "against.csv")
    pd.testing.assert_frame_equal(compared, stored, rtol=5e-3, atol=1e-12, check_dtype=False)
    knots.draw(rows, tmp_path / "knots.png")
    same_picture(tmp_path / "knots.png", folder / "knots.png")


def test_the_picture_of_scale_is_drawn_again(tmp_path):
    found = pd.read_csv(RESULTS / "scale" / "scale.csv")
    assert list(found.groupby("what").size()[list(scale.AXES)]) == [3, 2, 4]
    scale.draw(found, tmp_path / "scale.png")
    same_picture(tmp_path / "scale.png", RESULTS / "scale" / "scale.png")


def test_the_picture_of_the_response_to_a_schedule_is_drawn_again(tmp_path):
    folder = RESULTS / "noise_schedule"
    rows = pd.read_csv(folder / "response.csv")
    assert rows.groupby(["axis", "value"]).size().eq(5).all()
    schedule_response.draw(rows, tmp_path / "response.png")
    same_picture(tmp_path / "response.png", folder / "response.png")


def test_the_samples_of_the_readme_are_drawn_again(tmp_path):
    """By the model, the first eight images of each strip: an image hangs on its own seed alone."""
    best = float(lam_response.GUIDED[4])
    plain, strips = [], {lam: [] for lam in (best, *lam_response.OVER_OPTIMISED)}
    for prompt in shipped.PROMPTS:
        task = RewardFt(test_images=8).open(0, prompt, "guided", "cpu")
        plain.append(lam_response.strip(task.sampler(task.seeds("test", 8)).images))
        for lam, own in strips.items():
            own.append(lam_response.strip(task.sample_test(lam).images))
    lam_response.gallery(plain, strips, best, tmp_path / "samples.png")
    # sums of floats hang on the machine: a level here and there
    stored = RESULTS / "reward_ft" / "response" / "samples.png"
    same_picture(tmp_path / "samples.png", stored, most=0.5)


def test_the_picture_of_the_response_to_lam_is_drawn_again(tmp_path):
    """samples.png beside it is of a network, and is not."""
    folder = RESULTS / "reward_ft" / "response"
    for name in ("response.csv", "shift.csv"):
        shutil.copy(folder / name, tmp_path)
    lam_response.picture(tmp_path)
    same_picture(tmp_path / "response.png", folder / "response.png")


def test_where_weights_collapse_lies_between_two_measured_sizes():
    shift = pd.read_csv(RESULTS / "reward_ft" / "response" / "shift.csv")
    collapse = lam_response.collapse_of(shift, 1024)
    below, above = shift[shift["lam"] < collapse], shift[shift["lam"] > collapse]
    assert below["ess_of_bank"].max() < 0.05 * 1024 < above["ess_of_bank"].min()


def test_the_picture_of_modes_is_drawn_again(tmp_path):
    folder = RESULTS / "reward_ft" / "modes"
    modes.draw(pd.read_csv(folder / "modes.csv"), tmp_path / "modes.png")
    same_picture(tmp_path / "modes.png", folder / "modes.png")


def test_the_picture_of_hypergradients_is_drawn_again(tmp_path):
    folder = RESULTS / "hypergradients"
    hypergradients_report.draw(
        pd.read_csv(folder / "hypergradients.csv"), tmp_path / "hypergradients.png"
    )
    same_picture(tmp_path / "hypergradients.png", folder / "hypergradients.png")


def same_numbers(one, other):
    """The same lines and texts, and numbers but for rounding."""
    found, stored = (pd.read_csv(path) for path in (one, other))
    pd.testing.assert_frame_equal(found, stored, rtol=1e-6, atol=1e-9, obj=str(other))


def same_picture(one, other, most=0.0):
    """Pixel by pixel where the same matplotlib drew both; others may place letters elsewhere.

    most: mean difference in levels of 255.
    """
    with Image.open(one) as a, Image.open(other) as b:
        if a.info.get("Software") == b.info.get("Software"):
            assert a.size == b.size, other
            gap = np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16))
            assert gap.mean() <= most, other
        else:
            assert a.size == pytest.approx(b.size, rel=0.02), other
