"""explore.html in a real browser: what is clicked does what it says, and nothing is fetched."""

import html
import json
import shutil
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark import run
from benchmark.budget import Budget
from benchmark.command.cli import main
from benchmark.report import over_time
from benchmark.report.costs import costs
from benchmark.report.explorer.data import data_of
from benchmark.report.explorer.importance import importance
from benchmark.report.explorer.page import as_script, explore
from benchmark.report.explorer.runs import command_of, described, lines_of, spread, with_best
from benchmark.report.metrics import metric_of
from benchmark.report.notes import footnote
from benchmark.report.paper import Layout, paper
from benchmark.report.plots.quality_over_time import quality_over_time
from benchmark.report.report import report_folder
from benchmark.report.table import tables
from benchmark.report.verify import verify
from benchmark.spec import read_spec
from benchmark.store.seal import EARLIER
from benchmark.store.store import Store
from benchmark.store.stored import trials_of
from tests.made import made
from tests.test_cli import bench

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
MARKS = "#chart .mark-symbol path"
HOSTILE = "</script><img src=x onerror=alert(1)> \"a\" 'b' \U0001f600 \u05e9\u05dc\u05d5 &amp;"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report of two methods with two prompts, one of which means harm."""
    root = tmp_path_factory.mktemp("explore")
    shades = [np.full((2, 8, 8, 3), 60 * k, np.uint8) for k in (1, 2)]
    for prompt in (HOSTILE, "a plain one"):
        made(
            root / "runs",
            methods=("alpha", "bilevel"),
            prompt=prompt,
            images=shades,
            passport={"fid_features": "features of a network"},
        )
    report_folder(root / "runs")
    return root / "runs" / "report"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser, folder):
    opened = browser.new_page()
    opened.asked, opened.said = [], []
    opened.on("request", lambda r: opened.asked.append(r.url))
    opened.on("console", lambda m: opened.said.append(m.text))
    opened.on("pageerror", lambda e: opened.said.append(str(e)))
    opened.goto((folder / "explore.html").as_uri())
    opened.wait_for_selector("#chart svg")
    yield opened
    assert not opened.said
    assert not [u for u in opened.asked if not u.startswith(("file:", "data:", "blob:"))]
    opened.close()


def cells(page, column):
    return page.locator(f"#rows tbody tr > :nth-child({column})").all_inner_texts()


@BROWSER
def test_it_shows_the_table_of_the_report(page, folder):
    first = (folder / "table1.md").read_text().splitlines()[2]
    shown = page.locator("#rows tbody tr").first.inner_text().split("\t")
    plain = [c.strip().strip("*") for c in first.strip("|").split(" | ")]
    assert [s.strip() for s in shown] == [c.strip().strip("*") for c in plain]
    assert page.title() == page.locator("h1").inner_text()


@BROWSER
def test_sort_filter_and_toggle(page):
    assert cells(page, 1) == ["alpha", "bilevel"]
    head = page.locator("#rows thead button").nth(1)
    head.click()
    head.click()
    values = [float(t.split()[0]) for t in cells(page, 2)]
    assert values == sorted(values, reverse=True)
    assert page.locator("#rows th[aria-sort=descending]").count() == 1
    page.fill("#filter", "BIL")
    assert cells(page, 1) == ["bilevel"]
    page.fill("#filter", "")
    page.locator("#methods input").first.uncheck()
    assert cells(page, 1) == ["bilevel"]
    assert page.locator("#strips figure").count() == 1


@BROWSER
def test_the_budget_moves_table_curves_and_gallery(page, folder):
    marks = page.locator(MARKS)
    late, picture = cells(page, 2), page.locator("#strips img").first.get_attribute("src")
    count = marks.count()
    page.locator("#budget").fill("0")
    assert page.locator("#budget-text").inner_text() == "500nfe"
    page.wait_for_function(
        f"document.querySelectorAll('#chart .mark-symbol path').length < {count}"
    )
    early = cells(page, 2)
    assert early != late
    assert page.locator("#strips img").first.get_attribute("src") != picture
    (table, _), *_ = report_folder(folder.parent, folder.parent.parent / "early", at=_half())
    assert early[0].split()[0] == f"{table.rows[0].metrics['fid'].mean:.2f}"


def _half():
    return Budget(500, "nfe")


@BROWSER
def test_every_choice_of_the_curves_draws(page, folder):
    for metric in page.locator("#metric option").evaluate_all("o => o.map(x => x.value)"):
        page.select_option("#metric", metric)
        for x in ("seconds", "evaluations", "steps", "proposals", "method"):
            page.select_option("#x", x)
            for box in map(page.locator, ("#log-x", "#log-y", "#each")):
                if box.is_enabled():
                    box.click()
            page.wait_for_function(f"document.querySelectorAll({MARKS!r}).length")
    with page.expect_download() as got:
        page.click("#get-svg")
    assert got.value.suggested_filename == "curves.svg"
    drawn = Path(got.value.path()).read_text()
    assert drawn.startswith("<svg")
    # it stands alone in a paper
    (table,) = tables(Store(folder.parent))
    for text in (table.title, *(row.label for row in table.rows)):
        assert f">{html.escape(text, quote=False)}<" in drawn
    with page.expect_download() as got:
        page.click("#get-png")
    assert got.value.suggested_filename == "curves.png"
    with Image.open(got.value.path()) as drawn:
        assert drawn.format == "PNG"
        # something is on it
        assert len(set(drawn.convert("L").resize((64, 64)).tobytes())) > 3


@BROWSER
@pytest.mark.parametrize("kind", ["csv", "tex"])
def test_the_table_of_a_budget_is_downloaded(page, folder, kind):
    with page.expect_download() as got:
        page.click(f"#get-{kind}")
    assert got.value.suggested_filename == f"table1.{kind}"
    (table,) = tables(Store(folder.parent))
    expected = paper(table, Layout()) if kind == "tex" else (folder / "table1.csv").read_text()
    assert Path(got.value.path()).read_text() == expected


@BROWSER
def test_the_page_says_what_each_column_means(page):
    heads = [t.rstrip(" \u25b4\u25be") for t in page.locator("#rows thead th").all_inner_texts()]
    terms = page.locator("#meanings dt").all_inner_texts()
    assert terms == heads
    said = dict(zip(terms, page.locator("#meanings dd").all_inner_texts(), strict=True))
    assert said["FID \u2193"] == metric_of("fid").about
    assert said["Time (s)"] == costs()["time"].about
    assert all(said.values())


@BROWSER
def test_statistics_are_there_with_how_they_are_made(page, folder):
    stored = pd.read_csv(folder / "statistics.csv")
    part = page.locator("#statistics")
    shown = part.locator("table").first.locator("tbody tr").first.inner_text()
    rank = stored.loc[stored["statistic"] == "mean rank", "value"].iloc[0]
    assert f"{rank:.4g} (n = 6)" in shown
    # one of two methods, three seeds of two prompts
    assert part.locator("h3").first.inner_text() == "FID"
    part.locator("summary").first.click()
    assert "over seeds and prompts" in part.locator("dd").first.inner_text()
    with page.expect_download() as got:
        page.click("#get-statistics")
    assert got.value.suggested_filename == "statistics.csv"
    assert Path(got.value.path()).read_text() == (folder / "statistics.csv").read_text()


@BROWSER
def test_a_point_says_its_values(page):
    page.locator(MARKS).last.hover()
    tip = page.wait_for_selector("#vg-tooltip-element.visible")
    assert "95 % from" in tip.inner_text()


@BROWSER
def test_a_runs_own_page(page, folder):
    # not by the mouse, under which a picture may still move the page
    page.locator("#every a").first.evaluate("a => a.click()")
    run = page.locator("#run")
    run.locator("h2").wait_for()
    text = run.inner_text()
    assert "bench run --method alpha --task schedule" in text
    assert "Answers proposed (2)" in text
    assert "Seconds by account" in text
    assert "Passport: how it was measured" in text
    assert "features of a network" in text
    assert page.locator("#overview").is_hidden()
    for k, name in enumerate(("abar(t)", "log-SNR(t)")):
        drawn = run.locator(f"#curve-{k} svg")
        drawn.wait_for()
        assert name in drawn.text_content()
        assert drawn.locator(".mark-line path").count() == 2
    run.get_by_text("all runs").click()
    page.locator("#overview").wait_for(state="visible")


@BROWSER
def test_budgets_whose_tables_differ_and_names_that_begin_alike(browser, tmp_path):
    """A column that only one mark has is sorted by and left; a box is of its own row alone."""
    words = {"budget": "1200nfe", "marks": ["10nfe"], "out": tmp_path, "quiet": True}
    run("default", "quadratic", seeds=range(3), **words)
    run("default", "quadratic", seeds=range(3), options={"default.fits": 2}, **words)
    run("random", "quadratic", seeds=range(2), **words)
    report_folder(tmp_path)
    opened = browser.new_page()
    said = []
    opened.on("pageerror", lambda e: said.append(str(e)))
    opened.goto((tmp_path / "report" / "explore.html").as_uri())
    opened.wait_for_selector("#chart svg")
    assert cells(opened, 1) == ["default (fits=1)", "default (fits=2)", "random ‡"]
    # the second row of one method has another line and a hollow point
    lines = opened.locator("#methods svg path:first-child")
    dashes = [line.get_attribute("stroke-dasharray") for line in lines.all()]
    assert dashes == ["none", "6,3", "none"]
    assert opened.locator("#methods svg path[fill='var(--paper)']").count() == 1
    late, reading = cells(opened, 2), opened.locator("#reading").inner_text()
    assert "2 of 3 seeds x prompts" in reading
    opened.locator("#budget").fill("0")
    early = opened.locator("#rows thead button", has_text="No answer")
    assert early.count() == 1
    early.click()
    assert opened.locator("#reading").inner_text() != reading
    opened.locator("#budget").fill("1")
    assert cells(opened, 2) == late
    opened.locator("#methods input").first.uncheck()
    assert cells(opened, 1) == ["default (fits=2)", "random ‡"]
    for other in opened.locator("#methods input").all():
        other.set_checked(False)
    opened.wait_for_function("document.getElementById('get-svg').disabled")
    assert opened.locator("#get-png").is_disabled()
    opened.close()
    assert not said


def test_a_curves_mean_is_the_tables(tmp_path):
    """Also where a row has more seeds than the others."""
    words = {"budget": "1200nfe", "marks": ["600nfe"], "out": tmp_path, "quiet": True}
    run("default", "quadratic", seeds=range(2), **words)
    run("random", "quadratic", seeds=range(4), **words)
    found = page_data(tmp_path)
    (table,) = tables(Store(tmp_path))
    (end,) = (
        m for m in found["means"] if m["mark"] == 1 and found["rows"][m["row"]]["label"] == "random"
    )
    own = next(r for r in table.rows if r.label == "random").metrics["objective"]
    # a line of a table knows its row by number: a name may begin as another does
    for each in found["tables"]:
        shown = [found["rows"][k]["label"] for k in each["rows"]]
        assert [line[0][0].removesuffix(" ‡") for line in each["lines"]] == shown
    assert (end["y"], end["low"], end["high"]) == (own.mean, own.low, own.high)
    drawn = quality_over_time(table).axes[0]
    (line,) = (x for x in drawn.get_lines() if x.get_label() == "random")
    assert line.get_ydata()[-1] == pytest.approx(own.mean)


def test_where_a_failed_run_counts_as_the_worst_it_does_in_the_curve(tmp_path):
    store = made(tmp_path, seeds=4)
    first = next(r for r in store if r.run["spec"]["method"] == "alpha")
    store.fail(read_spec(first.run["spec"]), "killed")
    (first.folder / "final.json").unlink()
    (table,) = tables(Store(tmp_path), failures="worst")
    found = data_of(table, tmp_path, [], Layout(), [])
    own = next(r for r in table.rows if r.label == "alpha").metrics["fid"]
    (end,) = (
        m
        for m in found["means"]
        if (m["mark"], m["row"], m["metric"]) == (1, 0, "fid")
        and found["rows"][0]["label"] == "alpha"
    )
    assert (end["y"], end["low"], end["high"]) == (own.mean, own.low, own.high)
    drawn = quality_over_time(table).axes[0]
    (line,) = (x for x in drawn.get_lines() if x.get_label() == "alpha")
    assert line.get_ydata()[-1] == own.mean


@BROWSER
def test_texts_of_users_stay_texts(page):
    page.select_option("#prompt", HOSTILE)
    assert page.locator("img[onerror]").count() == 0
    assert HOSTILE in page.locator("#prompt option").all_inner_texts()
    page.locator("#every tr", has_text="onerror").locator("a").first.evaluate("a => a.click()")
    assert HOSTILE in page.locator("#run h2").inner_text()


def readable(opened, width):
    """No serious finding of axe, and nothing beside the screen."""
    from axe_playwright_python.sync_playwright import Axe

    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(opened).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in serious]


@BROWSER
@pytest.mark.parametrize("width", [400, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_anybody_can_read_it(browser, folder, dark, width):
    scheme = "dark" if dark else "light"
    opened = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened.goto((folder / "explore.html").as_uri())
    opened.wait_for_selector("#chart svg")
    # what is folded away is read too
    opened.locator("summary").evaluate_all("s => s.map((x) => { x.parentElement.open = true; })")
    readable(opened, width)
    # the keyboard alone: to the slider, and one step back
    opened.focus("#budget")
    opened.keyboard.press("ArrowLeft")
    assert opened.locator("#budget-text").inner_text() == "500nfe"
    opened.locator("#every a").first.evaluate("a => a.click()")
    opened.locator("#run h2").wait_for()
    opened.wait_for_selector("#run img")
    readable(opened, width)
    opened.close()


def test_the_page_is_sealed_with_its_report(folder):
    assert dict(verify(folder.parent))["table report"] == ""
    page = folder / "explore.html"
    text = page.read_text()
    page.write_text(text.replace("alpha", "aleph"))
    assert "explore.html is not the file" in dict(verify(folder.parent))["table report"]
    page.write_text(text)


def test_json_that_no_text_can_end():
    text = as_script({"a": HOSTILE, "b": [float("nan"), np.inf, 1 / 3]})
    assert "<" not in text
    assert json.loads(text) == {"a": HOSTILE, "b": [None, None, 0.3333333]}


@BROWSER
def test_a_failed_run_has_a_page_that_says_why(browser, tmp_path):
    made(tmp_path, methods=("alpha",))
    made(tmp_path, methods=("bilevel",), seeds=1, status="failed", error="ValueError: no <b>x</b>")
    report_folder(tmp_path)
    said = "Failed: bilevel, seed 0: ValueError: no <b>x</b>."
    assert said in html.unescape((tmp_path / "report" / "table1.md").read_text())
    opened = browser.new_page()
    problems = []
    opened.on("pageerror", lambda e: problems.append(str(e)))
    opened.goto((tmp_path / "report" / "explore.html").as_uri())
    opened.wait_for_selector("#chart svg")
    assert said in opened.locator("#footnote").inner_text()
    opened.locator("#every tr", has_text="failed").locator("a").click()
    opened.locator("#run").wait_for(state="visible")
    assert "failed. ValueError: no <b>x</b>" in opened.locator("#run").inner_text()
    opened.close()
    assert not problems


@BROWSER
def test_a_picture_on_a_runs_page_says_of_which_answer_it_is(page, folder):
    run_ = next(iter(Store(folder.parent)))
    page.goto((folder / "explore.html").as_uri() + f"#run={run_.run['run_id']}")
    page.locator("#run figure").first.wait_for()
    captions = page.locator("#run figcaption").all_inner_texts()
    assert [c.partition(":")[0] for c in captions] == [
        "After 4 s and 400 evaluations",
        "After 8 s and 800 evaluations",
    ]
    for caption, test in zip(captions, run_.tests, strict=True):
        fid = float(f"{test['metrics']['fid']:.5g}")
        assert f"FID {fid:g}" in caption


@pytest.mark.parametrize(("unit", "other"), [("nfe", "seconds"), ("s", "nfe")])
def test_an_ended_search_has_spent_the_same_on_the_page_and_in_the_table(unit, other, tmp_path):
    """Also in the unit that its budget is not in, of which proposals alone have stamps."""
    budget, mark = ("1000nfe", "500nfe") if unit == "nfe" else ("10s", "5s")
    made(tmp_path, budget=budget, marks=(mark,))
    (table,) = tables(Store(tmp_path))
    name, cost = {"seconds": ("seconds", "time"), "nfe": ("evaluations", "nfe")}[other]
    data = page_data(tmp_path)
    for k, row in enumerate(table.rows):
        means = {m["mark"]: m for m in data["means"] if m["row"] == k and m["metric"] == "fid"}
        whole = [run_.run["search_seconds" if other == "seconds" else "nfe"] for run_ in row.stored]
        assert means[1][name] == pytest.approx(np.mean(whole))
        # proposals at 400 and 800 evaluations, and at 4 and 8 s: between them as if evenly
        assert means[0][name] == pytest.approx(5.0 if other == "seconds" else 500)
    at = Budget.parse(mark)
    (early,) = tables(Store(tmp_path), at)
    column = "search_seconds" if other == "seconds" else "nfe"
    assert list(early.frame[column]) == pytest.approx([5.0 if other == "seconds" else 500.0] * 6)
    assert cost in table.rows[0].costs


def test_the_picture_over_time_has_the_means_of_the_page(tmp_path):
    """Also at a mark at which a row had fewer answers than at the end."""
    words = {"budget": "1200nfe", "marks": ["30nfe"], "out": tmp_path, "quiet": True}
    run("default", "quadratic", seeds=range(4), **words)
    run("random", "quadratic", seeds=range(2), **words)
    (table,) = tables(Store(tmp_path))
    data = page_data(tmp_path)
    drawn = quality_over_time(table).axes[0]
    for k, row in enumerate(table.rows):
        own = [m for m in data["means"] if (m["row"], m["metric"]) == (k, table.main)]
        points = sorted({(m["evaluations"], m["y"]) for m in own})
        (line,) = (one for one in drawn.lines if one.get_label() == row.label)
        assert list(line.get_ydata()) == pytest.approx([y for _, y in points])


def test_a_search_that_spent_nothing_has_a_place_on_a_logarithmic_axis(tmp_path):
    """As one whose oracles are free."""
    made(tmp_path, methods=("alpha",), nfe=0)
    (table,) = tables(Store(tmp_path))
    (line,) = (one for one in quality_over_time(table).axes[0].lines if one.get_label() == "alpha")
    assert min(line.get_xdata()) > 0
    assert min(m["evaluations"] for m in page_data(tmp_path)["means"]) > 0
    # the table has what was measured
    assert table.rows[0].costs["nfe"].mean == 0


def test_a_report_makes_its_table_at_a_mark_once(tmp_path, monkeypatch):
    """For the picture and the page together."""
    made_, marks = over_time._view, []

    def view(table, mark):
        marks.append(mark.amount)
        return made_(table, mark)

    monkeypatch.setattr(over_time, "_view", view)
    made(tmp_path, marks=("300nfe", "500nfe"))
    ((_, folder),) = report_folder(tmp_path)
    assert {p.name for p in folder.iterdir()} >= {"quality_over_time.png", "explore.html"}
    assert marks == [300, 500]


def page_data(root):
    (table,) = tables(Store(root))
    return data_of(table, root, [], Layout(), [])


def test_steps_are_offered_where_every_run_counted_them(tmp_path):
    ran = run("random", "quadratic", budget="120nfe", marks=["60nfe"], out=tmp_path, quiet=True)
    (stored,) = Store(tmp_path)
    found = page_data(tmp_path)
    assert found["steps"]
    # each trial is a fit from its start, of 20 steps
    fits = [sum(t["nfe"] <= p["nfe"] for t in trials_of(stored)) for p in stored.proposals]
    assert len(fits) > 1
    assert [p["all_steps"] for p in stored.proposals] == [20 * k for k in fits]
    assert [p["steps"] for p in found["points"]] == [t["all_steps"] for t in stored.tests]
    assert found["searched"][0]["points"][-1]["steps"] == stored.proposals[-1]["all_steps"]
    assert len(ran.frame) == 1
    made(tmp_path / "early", steps=False)
    assert not page_data(tmp_path / "early")["steps"]


def test_long_lists_are_spread_evenly():
    assert spread(list(range(1000)), 5) == [0, 250, 500, 749, 999]
    assert spread([1, 2], 5) == [1, 2]
    trials = [{"loss": loss} for loss in (3.0, 2.0, None, 0.5, np.nan, 1.0, 4.0)]
    assert [t["loss"] for t in with_best(trials, 3)] == [3.0, 0.5, 4.0]
    trials[3]["loss"] = 9.0
    assert [t["loss"] for t in with_best(trials, 3)] == [3.0, 1.0, 4.0]
    assert with_best(trials, 7) == trials
    assert with_best([], 3) == []


def test_a_page_of_few_runs_lists_all_of_their_trials(tmp_path):
    words = {"budget": "5000nfe", "options": {"random.trials": 100}}
    run("random", "quadratic", out=tmp_path, quiet=True, **words)
    (told,) = page_data(tmp_path)["runs"]
    assert told["trial_count"] == len(told["trials"]) == 100
    assert [lines_of(n) for n in (1, 12, 120, 800)] == [4800, 400, 40, 40]


def test_the_command_makes_the_same_run(tmp_path):
    words = ["run", "--method", "random", "--task", "quadratic", "--budget", "300nfe"]
    assert main([*words, "--set", "random.trials=7", "--out", str(tmp_path / "one")]) == 0
    (run,) = Store(tmp_path / "one")
    command = command_of(run.run["spec"]).split()
    assert command[:2] == ["bench", "run"]
    assert main([*command[1:], "--out", str(tmp_path / "two")]) == 0
    (again,) = Store(tmp_path / "two")
    assert again.run["run_id"] == run.run["run_id"]


def test_the_command_names_the_plugins_that_a_run_had(tmp_path):
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    (tmp_path / "my_method.py").write_text(text.split("```python\n")[1].split("```")[0])
    words = ["run", "--plugin", "my_method.py", "--method", "nearby", "--task", "quadratic"]
    done = bench(*words, "--budget", "300nfe", "--out", "one", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = Store(tmp_path / "one")
    assert run.run["plugins"] == ["my_method.py"]
    (told,) = described([(0, run)])
    command = told["command"].split()
    assert command[:4] == ["bench", *words[:3]]
    assert bench(*command[1:], "--out", "two", cwd=tmp_path).returncode == 0
    (again,) = Store(tmp_path / "two")
    assert again.run["run_id"] == run.run["run_id"]


def test_the_page_is_opened_in_a_browser(tmp_path, monkeypatch, capsys):
    made(tmp_path / "runs")
    shown = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address) or True)
    assert main(["report", str(tmp_path / "runs"), "--open"]) == 0
    assert shown == [(tmp_path / "runs" / "report" / "explore.html").as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert main(["report", str(tmp_path / "runs"), "--open"]) == 2
    assert "--open: expected a web browser, found none; open " in capsys.readouterr().err
    assert main(["report", str(tmp_path / "runs"), "--open", "--format", "md"]) == 2
    assert "expected the format page beside it" in capsys.readouterr().err


def test_a_page_of_many_runs_keeps_its_size(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (8, 64, 64, 3), np.uint8) for _ in range(2)]
    store = made(tmp_path, methods=tuple("abcdef"), seeds=20, images=noise)
    (table,) = tables(list(store))
    text = explore(table, tmp_path, [], Layout(), [])
    assert len(text) < 5_000_000
    runs = json.loads(text.split('id="data">')[1].split("</script>")[0])["runs"]
    assert len(runs) == 120
    # the lowest seeds of each row have pictures, and the page says where it has none
    assert all(r["images"] for r in runs if r["seed"] < 2)
    assert None in [r["images"] for r in runs]


@BROWSER
def test_where_methods_searched_on_axes_of_each_kind(browser, tmp_path):
    found = run(
        ["random", "bilevel"],
        "kinds",
        budget="400nfe",
        seeds=range(2),
        out=tmp_path / "runs",
        options={"random.trials": 8},
        engine="in_process",
        quiet=True,
    )
    report_folder(tmp_path / "runs")
    opened, said = browser.new_page(), []
    opened.on("pageerror", lambda e: said.append(str(e)))
    opened.goto((tmp_path / "runs" / "report" / "explore.html").as_uri())
    opened.wait_for_selector("#answers svg")
    names = opened.locator("#axis option").all_inner_texts()
    assert names == [a["name"] for a in found.runs[0].run["space"]]
    # whoever follows a gradient evaluates no F, and has an answer all the same
    trials = len(found.trials())
    assert trials == 2 * 8
    for name in names:
        opened.select_option("#axis", name)
        opened.wait_for_function(
            f"document.querySelectorAll('#slice .mark-symbol path').length == {trials}"
        )
        assert opened.locator("#slice .mark-rect path").count() == len(found)
    # a click on a point opens its run, with a picture of its trials
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    for _ in range(5):
        opened.locator("#slice .mark-symbol path").last.click()
        # the page may move while a chart is drawn, and the click goes beside it
        with suppress(PlaywrightTimeout):
            opened.wait_for_selector("#trials svg", timeout=4000)
            break
    assert opened.locator("#trials .mark-symbol path").count() == 8
    assert "random, seed" in opened.title()
    opened.go_back()
    points = opened.locator("#answers .mark-symbol path")
    assert points.count() == len(found) * len(names)
    opened.locator("#methods input").first.uncheck()
    opened.wait_for_function(
        "document.querySelectorAll('#answers .mark-symbol path').length"
        f" == {len(found) * len(names) // 2}"
    )
    # a distance to the best may be on a logarithmic axis, whatever F's sign
    opened.select_option("#metric", "searched")
    opened.check("#gap")
    opened.check("#log-y")
    opened.wait_for_function("document.querySelector('#chart').textContent.includes('distance')")
    assert not said
    opened.close()


@BROWSER
def test_an_address_shows_the_same_again(browser, folder):
    first = browser.new_page()
    first.goto((folder / "explore.html").as_uri())
    first.wait_for_selector("#chart svg")
    first.locator("#budget").fill("0")
    first.locator("#methods label").nth(1).dblclick()
    first.select_option("#x", "method")
    first.check("#log-y")
    first.locator("summary", has_text="Columns").click()
    first.locator("#columns input").first.uncheck()
    heads = first.locator("#rows thead th:visible").all_inner_texts()
    again = browser.new_page()
    again.goto(first.url)
    again.wait_for_selector("#chart svg")
    for page in (first, again):
        assert page.locator("#budget-text").inner_text() == "500nfe"
        assert cells(page, 1) == ["bilevel"]
        assert page.locator("#marks-note").is_visible()
        assert page.input_value("#x") == "method"
        assert page.is_checked("#log-y")
        assert page.locator("#rows thead th:visible").all_inner_texts() == heads
        page.locator("#methods button").click()
        assert cells(page, 1) == ["alpha", "bilevel"]
        page.close()
    hostile = browser.new_page()
    said = []
    hostile.on("pageerror", lambda e: said.append(str(e)))
    words = "budget=99&off=7,x,-1&metric=<b>&x=&on=y&hidden=%22|z"
    hostile.goto(f"{(folder / 'explore.html').as_uri()}#view?{words}")
    hostile.wait_for_selector("#chart svg")
    assert cells(hostile, 1) == ["alpha", "bilevel"]
    assert not said
    hostile.close()


@BROWSER
def test_the_list_of_runs_is_sorted(page):
    for _ in range(2):
        # not by the mouse, under which a chart may still move the page
        page.locator("#every thead button", has_text="Seed").evaluate("b => b.click()")
    seeds = [int(t) for t in page.locator("#every tbody td:nth-child(3)").all_inner_texts()]
    assert seeds == sorted(seeds, reverse=True)
    assert len(set(seeds)) > 1


def test_the_axis_that_decides_is_the_important_one():
    rng = np.random.default_rng(0)
    axes = [
        {"kind": "float", "name": "a", "low": 0.0, "high": 1.0, "log": False},
        {"kind": "float", "name": "b", "low": 1e-3, "high": 1.0, "log": True},
        {"kind": "choice", "name": "c", "values": ["x", "y"], "low": 0.0, "high": 0.0},
        {"kind": "integer", "name": "d", "low": 1.0, "high": 9.0, "log": False},
    ]
    trials = [
        {
            "lam": {"a": a, "b": 10 ** (-3 * b), "c": "xy"[k % 2], "d": k % 9 + 1},
            "loss": (b - 0.5) ** 2,
            "steps": 3,
        }
        for k, (a, b) in enumerate(rng.random((200, 2)).tolist())
    ]
    runs = [SimpleNamespace(trials=[*trials, {**trials[0], "steps": 1, "loss": -9.0}])]
    found = importance(runs, axes)
    assert found[0]["axis"] == "b"
    assert sum(f["share"] for f in found) == pytest.approx(1.0)
    assert found[0]["share"] > 0.6
    assert importance([SimpleNamespace(trials=trials[:30])], axes) == []
    assert importance(runs, axes[:1]) == []
    assert importance([], axes) == []


def test_where_no_axis_matters_none_is_named():
    rng = np.random.default_rng(1)
    axes = [
        {"kind": "float", "name": str(k), "low": 0.0, "high": 1.0, "log": False} for k in range(6)
    ]
    alarms = 0
    for _ in range(200):
        x, losses = rng.random((120, 6)), rng.standard_normal(120)
        trials = [
            {"lam": dict(zip("012345", row, strict=True)), "loss": f, "steps": 1}
            for row, f in zip(x.tolist(), losses.tolist(), strict=True)
        ]
        alarms += importance([SimpleNamespace(trials=trials)], axes) != []
    # of 5 %; a standard error is 0.015
    assert alarms / 200 < 0.05 + 3 * 0.015


@BROWSER
def test_of_thousands_of_runs_some_are_listed_and_the_page_says_so(browser, tmp_path, monkeypatch):
    made(tmp_path / "runs")
    (table,) = tables(Store(tmp_path / "runs"))
    whole = data_of(table, tmp_path, [], Layout(), [])
    monkeypatch.setattr("benchmark.report.explorer.runs._RUNS", 2)
    data = data_of(table, tmp_path, [], Layout(), [])
    assert data["run_count"] == len(whole["runs"]) > 2
    assert [r["seed"] for r in data["runs"]] == sorted(r["seed"] for r in whole["runs"])[:2]
    assert {p["run"] for p in data["points"]} == {r["id"] for r in data["runs"]}
    # numbers are those of all runs
    assert (data["means"], data["tables"]) == (whole["means"], whole["tables"])
    (tmp_path / "explore.html").write_text(explore(table, tmp_path, [], Layout(), []))
    opened = browser.new_page()
    opened.goto((tmp_path / "explore.html").as_uri())
    opened.wait_for_selector("#chart svg")
    said = opened.locator("#fewer").inner_text()
    assert said.startswith(f"The 2 runs of the lowest seeds, of {data['run_count']}:")
    assert opened.locator("#every tbody tr").count() == 2
    opened.close()


def test_images_of_earlier_marks_are_stored_where_each_mark_has_some(tmp_path):
    shades = [np.full((2, 4, 4, 3), 60 * k, np.uint8) for k in (1, 2)]
    (run,) = made(tmp_path / "both", methods=("a",), seeds=1, images=shades)
    assert (run.folder / EARLIER).is_file()
    odd = [shades[0][:0], shades[1]]
    (run,) = made(tmp_path / "one", methods=("a",), seeds=1, images=odd)
    assert not (run.folder / EARLIER).exists()


def test_a_report_of_failed_runs_alone_says_why(tmp_path):
    made(tmp_path, methods=("bilevel",), seeds=2, status="failed", error="ValueError: no")
    ((table, folder),) = report_folder(tmp_path)
    assert footnote(table) == "Failed: bilevel, seed 0 and 1 more: ValueError: no."
    assert (folder / "explore.html").exists()
    verify(tmp_path)
