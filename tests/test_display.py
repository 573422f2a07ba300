"""What a terminal shows of several runs."""

import io
import math
import re
import signal
import time
from types import SimpleNamespace

import pytest

from benchmark import run
from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text
from benchmark.runs import display as module
from benchmark.runs.child import _event
from benchmark.runs.display import CountedLines, Screen, Silent, display, sentence
from benchmark.runs.measuring import MeasuringTime, tried
from benchmark.runs.progress import Told
from benchmark.runs.words import ended_how, seconds
from benchmark.spec import RunSpec

LONG = "a very long prompt " * 8 + "\x1b[31m\u202e"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    found = Terminal()
    # the name in the module, for pytest puts its own stderr in place between set-up and test
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=found))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    return found


def spec(seed=0, prompt="", budget="100nfe"):
    return RunSpec("quadratic", "toy", "random", "", seed, prompt, budget, ())


def stored(status="ok", error="", loss=0.25, proposals=True):
    ledger = {"method": 30.0, "objective": 4.0}
    return SimpleNamespace(
        open=False,
        run={"status": status, "error": error, "ledger": ledger, "no_incumbent": not proposals},
        proposals=[{"loss": loss}] if proposals else [],
    )


def child(own, progress=("search", 40.0, 0.5)):
    return SimpleNamespace(spec=own, progress=progress, began=time.monotonic() - 9)


def plain(text):
    """Without the codes of a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_line_a_run_and_one_for_all(terminal):
    with display(4, 2, quiet=False) as shown:
        assert isinstance(shown, Screen)
        for seed in (0, 1):
            shown.begun(spec(seed))
        shown.show([child(spec(0)), child(spec(1), ("measuring", 100.0, None))])
        text = plain(terminal.getvalue())
        assert "0 of 4 runs" in text
        assert "search" in text
        assert "measuring" in text
        assert "40 of 100 evaluations" in text
        assert "F 0.5" in text
        assert "left" in text
        shown.ended(spec(0), stored())
        shown.show([child(spec(1))])
    text = plain(terminal.getvalue())
    assert "quadratic random seed 0: ended by itself; F 0.25; 34 s in all" in text
    assert "1 of 4 runs" in text


def test_what_is_left_is_by_budgets_first_and_then_by_the_runs_that_ended(terminal):
    def said(shown, *children):
        terminal.truncate(0)
        shown.show(children)
        return re.findall(r"about (.*?) left", plain(terminal.getvalue()))[-1:]

    with Screen(3) as shown:
        shown.begun(spec(0))
        shown._since = time.monotonic() - 10
        # 40 % of the first of three
        assert said(shown, child(spec(0))) == ["65 s"]
        # a measurement is no part of its budget, so nobody knows
        assert said(shown, child(spec(0), ("measuring", 100.0, None))) == []
        shown._began[spec(0).run_id] = time.monotonic() - 20
        shown.ended(spec(0), stored())
        shown.begun(spec(1))
        assert said(shown, child(spec(1), ("measuring", 100.0, None))) == ["40 s"]


def test_no_line_is_wider_than_the_terminal_and_no_text_is_obeyed(terminal):
    own = spec(0, LONG)
    with Screen(1) as shown:
        shown.begun(own)
        shown.show([child(own)])
    lines = plain(terminal.getvalue()).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= 80
    assert "\u2026" in terminal.getvalue()
    assert "\x1b[31m" not in terminal.getvalue()
    assert "\u202e" not in terminal.getvalue()


def test_how_a_run_ended_in_words():
    assert "budget spent; F 0.25" in sentence(spec(), stored("budget_exhausted"))
    assert "failed: ValueError: no" in sentence(spec(), stored("failed", "ValueError: no\nmore"))
    assert "no answer" in sentence(spec(), stored(proposals=False))
    assert "F" not in sentence(spec(), stored(loss=float("inf"))).split(":")[1]
    assert sentence(spec(), None).endswith("stopped")
    assert ended_how("interrupted") == "interrupted"
    assert [seconds(s) for s in (34.2, 600, 9000)] == ["34 s", "10 min", "2.5 h"]


def test_lines_are_counted_where_there_is_no_terminal(monkeypatch, capsys):
    shown = display(3, 2, quiet=False)
    assert type(shown) is CountedLines
    shown.begun(spec())
    shown.show([])
    shown.ended(spec(), stored())
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "begun (1 of 3): quadratic random seed 0"
    assert said[1].startswith("ended (1 of 3): quadratic random seed 0: ended by itself")
    for alone in (display(3, 1, quiet=False), display(3, 2, quiet=True)):
        assert type(alone) is Silent
        alone.begun(spec())
    assert capsys.readouterr().err == ""


def test_a_run_tells_how_far_it_is():
    told = []
    progress = Told(lambda name, found: told.append((name, list(found))))
    progress.phase("search")
    for k in range(1000):
        progress.spent(k)
    progress.incumbent(3.0)
    progress.incumbent(4.0)
    progress.phase("measuring")
    progress.close("ok")
    assert told[0] == ("progress", ["search", 0.0, None])
    assert told[-1] == ("progress", ["measuring", 999.0, 3.0])
    # not for every request
    assert len(told) < 10


@pytest.mark.parametrize(
    "line",
    [
        b'["progress", ["search", 1.0]]',
        b'["progress", ["search", NaN, null]]',
        b'["progress", ["search", null, 1.0]]',
        b'["progress", [1, 1.0, 1.0]]',
        b'["progress", "search"]',
        b'["progress", ["search", true, null]]',
    ],
)
def test_what_is_no_progress_is_no_event(line):
    assert _event(line) is None


def test_progress_is_an_event():
    assert _event(b'["progress", ["search", 1, null]]') == ("progress", ["search", 1, None])


def test_a_dry_run_knows_the_measurement_from_stored_runs(tmp_path, capsys):
    words = ["--method", "default", "--task", "quadratic", "--budget", "60nfe", "--dry-run"]
    words += ["--out", str(tmp_path), "--seeds", "0,1"]
    assert main(["run", *words]) == 0
    assert "and at most 0 s for their measurement, by one that was tried" in capsys.readouterr().out
    run("default", "quadratic", budget="60nfe", out=tmp_path, quiet=True)
    capsys.readouterr()
    assert main(["run", *words]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 runs" in said
    assert "and 0 s for their measurement, as that of stored runs" in said


def test_a_measurement_that_is_tried_is_given_up_in_time():
    began = time.monotonic()
    assert tried(lambda: time.sleep(30), limit=0.1) == math.inf
    assert time.monotonic() - began < 10
    assert 0.05 <= tried(lambda: time.sleep(0.05), limit=20) < 20
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_measuring_time_is_of_stored_runs_or_of_one_tried_for_each_mark():
    def specs(marks):
        return plan_from_text("default", "quadratic", budget="60nfe", seeds="0,1", marks=marks)

    ended, marked = specs([]), specs(["20nfe", "40nfe"])
    took = MeasuringTime()
    took.add(ended[0], None)
    assert len(took.unknown([*ended, *marked])) == 1
    took.probed(ended[0], 7.0)
    assert took.of([*ended, *marked], 1).startswith("and at most 56 s for")
    assert took.of([*ended, *marked], 2).startswith("and at most 28 s for")
    took.probed(ended[0], math.inf)
    assert (
        took.of(marked, 1) == "and more than 3 min for their measurement, of which one was given up"
    )
    assert took.of([], 1) == "and 0 s for their measurement"
