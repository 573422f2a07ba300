"""No row wins by failing, by doing nothing, or on other seeds."""

import numpy as np
import pandas as pd
import pytest

from benchmark.budget import Budget
from benchmark.report.formats import markdown, text
from benchmark.report.frame import columns, standing
from benchmark.report.reading import reading
from benchmark.report.report import report
from benchmark.report.sheets import csv
from benchmark.report.table import tables, tables_of
from benchmark.report.verify import verify
from benchmark.store.store import read
from tests.made import made

HARD = {"easy": 5.0, "middle": 10.0, "hard": 30.0}


def rows(method, shift=0.0, seeds=range(5), without=(), status="failed", prompts=HARD):
    """One row a run; those of a prompt in `without` have no score."""
    rng = np.random.default_rng(len(method))
    for seed in seeds:
        for prompt, level in prompts.items():
            lost = prompt in without
            found = dict.fromkeys(columns()) | {
                "task": "t",
                "preset": "p",
                "method": method,
                "lower": "",
                "seed": seed,
                "prompt": prompt,
                "status": status if lost else "ok",
                "search_seconds": 1.0,
                "nfe": 100,
                "run_id": f"{method}{seed}{prompt}",
                "budget": "200nfe",
                "passport": "" if lost else "x",
                "variant": "",
            }
            yield found | {"fid": np.nan if lost else level + shift + 0.03 * rng.normal()}


def table(*parts, failures="common"):
    (found,) = tables_of(pd.DataFrame([r for part in parts for r in part]), failures=failures)
    return found, {r.label: r for r in found.rows}


@pytest.mark.parametrize("status", ["failed", "ok"])
def test_a_method_that_fails_on_the_hard_prompt_does_not_win(status):
    """Before: the good row was shown as 15, the failing one, 3 worse everywhere, as 10.5 and
    bold.
    """
    found, by = table(rows("good"), rows("quitter", 3.0, without=("hard",), status=status))
    assert by["good"].metrics["fid"].mean == pytest.approx(7.5, abs=0.1)
    assert by["quitter"].metrics["fid"].mean == pytest.approx(10.5, abs=0.1)
    assert (by["good"].incomplete, by["quitter"].incomplete) == (False, True)
    assert by["quitter"].bold == set()
    assert (by["quitter"].failed, by["quitter"].unanswered) == (
        (5, 0) if status == "failed" else (0, 5)
    )
    assert "compared over 10 of 15 seeds x prompts" in reading(found)
    assert "--failures common" in reading(found)
    for shown in (markdown(found), text(found)):
        assert "quitter ‡" in shown
        assert ("No answer" in shown) == (status == "ok")
    assert "quitter,10." in csv(found)


def test_an_incomplete_row_is_never_the_best_even_where_it_is_better():
    _, by = table(rows("good"), rows("other", 0.01), rows("lucky", -3.0, without=("hard",)))
    assert by["lucky"].bold == set()
    assert by["good"].bold == {"fid"}
    assert by["lucky"].metrics["fid"].mean < by["good"].metrics["fid"].mean


def test_failures_can_count_as_the_worst_of_their_cell():
    found, by = table(
        rows("good"), rows("quitter", 3.0, without=("hard",)), rows("poor", 9.0), failures="worst"
    )
    assert by["good"].metrics["fid"].mean == pytest.approx(15.0, abs=0.1)
    assert by["quitter"].metrics["fid"].mean == pytest.approx((8 + 13 + 39) / 3, abs=0.1)
    assert by["quitter"].incomplete
    assert by["good"].bold == {"fid"}
    assert "--failures worst" in reading(found)
    assert "compared over" not in reading(found)


def test_rows_on_other_seeds_are_not_comparable_and_do_not_part_the_others():
    found, by = table(rows("one"), rows("two", 1.0), rows("apart", -3.0, seeds=range(5, 9)))
    assert by["apart"].apart
    assert by["apart"].bold == set()
    assert by["apart"].metrics["fid"].mean == pytest.approx(12.0, abs=0.1)
    assert by["one"].bold == {"fid"}
    assert "apart §" in markdown(found)
    assert "not comparable" in reading(found)


def test_a_prompt_with_a_single_seed_does_not_pool_the_prompts():
    """Before: [14.96, 15.03] became [6.20, 14.29] about another mean."""
    thin = [r for r in rows("good") if r["prompt"] != "hard" or r["seed"] == 0]
    _, by = table(thin)
    e = by["good"].metrics["fid"]
    assert e.mean == pytest.approx(15.0, abs=0.05)
    assert e.high - e.low < 0.3


def test_a_row_that_fails_throughout_costs_the_others_nothing():
    found, by = table(rows("good"), rows("other", 1.0), rows("broken", without=tuple(HARD)))
    assert by["good"].metrics["fid"].mean == pytest.approx(15.0, abs=0.1)
    assert by["good"].bold == {"fid"}
    assert "broken ‡" in markdown(found)


def test_two_seeds_are_shown_without_marks_and_with_a_warning():
    found, by = table(rows("one", seeds=range(2)), rows("two", 50.0, seeds=range(2)))
    assert not by["one"].bold | by["two"].bold
    assert "3 paired seeds" in reading(found)
    assert "**" not in markdown(found)


def test_differences_are_paired(tmp_path):
    ((found, folder),) = report(list(made(tmp_path / "runs", seeds=5)), tmp_path / "out")
    listed = pd.read_csv(folder / "differences.csv")
    assert list(listed["metric"]) == ["fid", "inception_score", "objective"]
    fid = {r.method: list(r.values["fid"].values()) for r in found.rows}
    row = listed.iloc[0]
    assert (row["one"], row["other"], row["n"]) == ("alpha", "beta", 5)
    assert row["difference"] == pytest.approx(np.mean(np.subtract(fid["alpha"], fid["beta"])))
    assert row["ci_low"] < row["difference"] < row["ci_high"] < 0
    assert row["p"] < 0.001


def test_references_are_lines_without_runs(tmp_path):
    store = made(tmp_path / "runs")
    for run in store:
        path = run.folder / "final.json"
        path.write_text(
            path.read_text().replace(
                '"passport"', '"references": {"real images": {"fid": 0.22}}, "passport"'
            )
        )
    ((found, folder),) = report(list(store), tmp_path / "out")
    assert found.references == {"real images": {"fid": pytest.approx(0.22)}}
    line = next(x for x in markdown(found).splitlines() if x.startswith("| real images"))
    assert line.startswith("| real images | 0.22 | - | - |")
    (again,) = tables_of(
        pd.read_csv(folder / "runs.csv").fillna(
            {"lower": "", "prompt": "", "variant": "", "passport": ""}
        )
    )
    assert again.references == found.references


def test_before_its_first_proposal_a_run_has_no_score(tmp_path):
    """In records of earlier versions too, which measured the default there."""
    store = made(tmp_path, methods=("alpha",), marks=("300nfe", "500nfe"))
    run = next(iter(store))
    path = run.folder / "final.json"
    path.write_text(
        path.read_text()
        .replace('"nfe": 400', '"nfe": 0')
        .replace('"seconds": 4.0', '"seconds": 0.0')
    )
    run = read(run.folder)
    assert [t["nfe"] for t in run.tests] == [800]
    assert standing(run, Budget.parse("300nfe")) is None
    (early,) = tables(made(tmp_path / "b", marks=("300nfe",)), Budget.parse("300nfe"))
    assert early.metrics == []
    assert [r.unanswered for r in early.rows] == [3, 3]


def problems(folder):
    """Of the reports; these runs' own accounts are made up."""
    return [problem for what, problem in verify(folder) if problem and what.startswith("table")]


def test_verify_sees_a_run_that_was_left_out_and_a_footnote_that_is_not_so(tmp_path):
    store = made(tmp_path, seeds=5)
    runs = list(store)
    report(runs, tmp_path / "report", formats=("md", "csv", "latex", "html"))
    assert problems(tmp_path) == []
    chosen = [r for r in runs if r.run["spec"]["seed"] != 4]
    report(chosen, tmp_path / "report", formats=("md", "csv", "latex", "html"))
    assert problems(tmp_path) == [
        "2 stored runs of the same set are left out without a word; make it again with `bench "
        "report`"
    ]
    report(chosen, tmp_path / "report", beside=runs, formats=("md", "csv", "html"))
    assert problems(tmp_path) == []
    note = tmp_path / "report" / "table1.md"
    assert "2 stored runs of the same set are left out." in note.read_text()
    whole = note.read_text()
    note.write_text(whole.replace("on 2 CPUs", "on 64 CPUs"))
    assert problems(tmp_path) == ["its footnote is not what its runs give"]
    note.write_text(whole.replace("no row is better", "nobody is better"))
    assert problems(tmp_path) == ["table1.md does not follow from runs.csv"]


@pytest.mark.parametrize(
    "how", [{"at": Budget.parse("500nfe")}, {"failures": "worst"}, {"across": True}]
)
def test_verify_knows_how_a_report_was_made(tmp_path, how):
    store = made(tmp_path, seeds=4)
    report(list(store), tmp_path / "report", **how)
    assert problems(tmp_path) == []
