"""The documents are current: files that they name exist, and the stored tables follow from the
stored runs.
"""

import json
import re
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchmark
from benchmark.command.arguments import parser
from benchmark.command.suite import read_suite
from benchmark.registry import METHODS, METRICS
from benchmark.report.costs import costs, spent
from benchmark.report.formats import markdown
from benchmark.report.frame import columns
from benchmark.report.metrics import metric_of
from benchmark.report.runs_csv import read_frame
from benchmark.report.stats import Estimate, best
from benchmark.report.table import tables_of
from benchmark.spec import earlier_identity
from tasks.files import idx

ROOT = Path(__file__).parent.parent
WITHOUT_LINKS = ("docs/paper.md", "docs/sampling.md")
REFERENCE = ROOT / "results" / "reward_ft"


def methods_of(folder):
    """The table's rows, without its lines of reference."""
    table = pd.read_csv(folder / "table1.csv")
    return table[table["runs"] > 0]


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "DESIGN.md",
        "docs/cli.md",
        "docs/commands.md",
        "docs/comparison.md",
        "docs/concepts.md",
        "docs/methodology.md",
        "docs/methods.md",
        "docs/paper.md",
        "docs/results.md",
        "docs/sampling.md",
        "docs/statistics.md",
        "docs/cluster.md",
        "results/README.md",
        "tasks/reward_ft/MODEL_CARD.md",
        "tasks/noise_schedule/MODEL_CARD.md",
    ],
)
def test_files_that_a_document_names_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(
        r"\]\(([^)#:]+)\)|`((?:benchmark|speed|methods|tasks|tests|results|\.ci)/[\w/.]+)`",
        text,
    )
    paths = {link or code for link, code in named}
    assert paths or name in WITHOUT_LINKS
    for path in paths:
        here = (ROOT / name).parent / path
        assert (ROOT / path).exists() or here.exists() or path.startswith("results/runs"), (
            f"{name} names {path}"
        )


def test_the_first_two_shell_blocks_are_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```(?:bash|sh|shell)\n(.*?)```", text, flags=re.S)[:2]
    assert first.startswith("pip install -e . && bench run --method bilevel,")
    assert "`bench run --method bilevel --task reward_ft`" in text
    assert len(text.splitlines()) <= 120
    assert "[test]" in second
    assert "pytest" in second


def test_the_reference_table_follows_from_its_runs():
    runs = pd.read_csv(REFERENCE / "runs.csv")
    table = methods_of(REFERENCE)
    assert list(runs.columns)[: len(columns())] == list(columns())
    assert set(table["method"]) == set(METHODS.complete()) & {
        "bilevel",
        "default",
        "grid",
        "random",
        "bayesian",
    }
    for _, row in table.iterrows():
        mine = runs[(runs["method"] == row["method"]) & (runs["lower"] == row["lower"])]
        assert len(mine) == row["runs"]
        assert mine.groupby("prompt")["seed"].nunique().ge(5).all()
        assert mine["prompt"].nunique() == 3
        stored = {m: (metric_of(m), mine[m]) for m in METRICS.complete() if m in table}
        lines = mine.to_dict("records")
        stored |= {name: (costs()[name], values) for name, values in spent(lines).items()}
        del stored["overrun_nfe"]  # of a budget in evaluations alone
        for name, (column, values) in stored.items():
            cells = zip(mine["seed"], mine["prompt"], values, strict=True)
            found = column.estimate({(s, p): v for s, p, v in cells})
            written = row[name], row[f"{name}_ci_low"], row[f"{name}_ci_high"]
            told = (found.mean, found.low, found.high)
            # of a method that evaluates no F there is no optimism
            assert told == pytest.approx(written, rel=1e-4, nan_ok=True)
            assert (
                np.isnan(told).all()
                or column.low <= row[f"{name}_ci_low"] <= row[f"{name}_ci_high"] <= column.high
            )


def test_the_response_has_its_best_value_inside_the_range():
    table = pd.read_csv(REFERENCE / "response" / "response.csv")
    lowers = ("importance", "guided, tilt", "guided, direct", "guided, lookahead")
    assert set(table["lower"]) == set(lowers)
    for lower in lowers:
        part = table[table["lower"] == lower].sort_values("lam")
        assert part["lam"].iloc[0] == pytest.approx(0.01)
        assert part["lam"].iloc[-1] == pytest.approx(100)
        for end in (0, -1):
            assert part["gap_ci_low"].iloc[end] > 0, (
                f"{lower}: the best lam is not told apart from the end {end}"
            )


def test_the_printed_table_is_the_stored_one_and_bold_follows_from_the_runs():
    runs, table = pd.read_csv(REFERENCE / "runs.csv"), methods_of(REFERENCE)
    printed = (REFERENCE / "table1.md").read_text(encoding="utf-8")
    assert printed.strip() in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    lines = {
        line.split("|")[1].strip(): line for line in printed.splitlines() if line.startswith("|")
    }
    keys = [(r["method"], r["lower"]) for _, r in table.iterrows()]
    cells = {k: runs[(runs["method"] == k[0]) & (runs["lower"] == k[1])] for k in keys}
    for metric, down in (("fid", True), ("clip", False)):
        rows = {
            str(k): {(s, p): v for s, p, v in zip(c["seed"], c["prompt"], c[metric], strict=True)}
            for k, c in cells.items()
        }
        tied = best(rows, down)
        for _, r in table.iterrows():
            text = metric_of(metric).text(
                Estimate(r[metric], r[f"{metric}_ci_low"], r[f"{metric}_ci_high"])
            )
            top = r[metric] == (table[metric].min() if down else table[metric].max())
            mark = "**{}**" if top else "*{}*" if str((r["method"], r["lower"])) in tied else "{}"
            assert f"| {mark.format(text)} |" in lines[f"{r['method']} ({r['lower']})"]


def test_no_document_or_result_carries_a_path_of_a_machine():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(listed) > 50
    for name in listed:
        path = ROOT / name
        if (
            path.suffix in (".md", ".csv", ".json", ".toml", ".py", ".tex")
            and name != "tests/test_docs.py"
        ):
            assert not re.search(
                r"/(?:work|home|root|Users)/\w", path.read_text(encoding="utf-8")
            ), name


@pytest.mark.parametrize(
    ("name", "seeds"),
    [("nfe", 5), ("ablations", 5), ("mnist", 3)],
)
def test_the_tables_of_noise_schedule_follow_from_their_runs(name, seeds):
    folder = ROOT / "results" / "noise_schedule" / name
    (found,) = tables_of(read_frame(folder / "runs.csv"))
    printed = (folder / "table1.md").read_text(encoding="utf-8")
    assert printed.startswith(markdown(found))
    runs, table = pd.read_csv(folder / "runs.csv", keep_default_na=False), methods_of(folder)
    assert (table["runs"] == seeds).all()
    assert (runs.groupby(["method", "variant"])["seed"].nunique() == seeds).all()
    if name == "nfe":
        assert printed.strip() in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def test_the_signal_of_the_schedule_exceeds_the_noise_of_seeds():
    found = pd.read_csv(ROOT / "results" / "noise_schedule" / "response.csv").pivot_table(
        index="seed", columns=["axis", "value"], values="fid"
    )
    assert len(found) == 5
    for worse, better in (
        (("tau", 3.78), ("tau", 1.0)),
        (("tau", 8.0), ("tau", 3.78)),
        (("tau", 3.78), ("tau", 2.0)),
    ):
        gap = found[worse] - found[better]
        assert gap.mean() > 3 * gap.std() / len(gap) ** 0.5, (worse, better)


@pytest.mark.parametrize(
    ("suite", "folder"),
    [
        ("noise_schedule_mnist", "mnist"),
    ],
)
def test_the_suites_name_the_stored_runs(suite, folder, monkeypatch):
    """By the identity that they were stored under, so that a changed default is seen; what the
    files of MNIST are is known without them.
    """
    monkeypatch.setattr(
        "tasks.files.idx.fingerprint",
        lambda: {name: file.md5 for name, file in idx.MNIST.items()},
    )
    named = {earlier_identity(s.as_json()) for s in read_suite(ROOT / "suites" / f"{suite}.toml")}
    stored = set(
        pd.read_csv(
            ROOT / "results" / "noise_schedule" / folder / "runs.csv", dtype={"run_id": str}
        )["run_id"]
    )
    assert stored <= named
    assert len(stored) >= 5


METHOD_TASKS = ("quadratic", "tilted", "noise_schedule", "reward_ft")


@pytest.mark.parametrize(
    ("suite", "folders"),
    [
        ("reward_ft", ["reward_ft"]),
        ("noise_schedule", ["noise_schedule/nfe"]),
        ("noise_schedule_ablations", ["noise_schedule/ablations"]),
        ("noise_schedule_trials", ["noise_schedule/trials"]),
        ("noise_schedule_knots", ["noise_schedule/knots"]),
        (
            "methods",
            [f"methods/{t}" for t in ("quadratic", "tilted", "noise_schedule", "reward_ft")],
        ),
    ],
)
def test_the_suites_name_the_shipped_runs(suite, folders):
    """All of them, whatever code they were made by."""
    named = {earlier_identity(s.as_json()) for s in read_suite(ROOT / "suites" / f"{suite}.toml")}
    stored = set()
    for folder in folders:
        with tarfile.open(ROOT / "results" / folder / "runs.tar.xz") as packed:
            for member in packed:
                if member.name.endswith("/run.json"):
                    stored.add(earlier_identity(json.load(packed.extractfile(member))["spec"]))
    assert stored == named


def test_every_public_name_is_in_the_reference_of_python():
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    named = {line.rpartition(".")[2] for line in text.splitlines() if line.startswith("::: ")}
    assert named == set(benchmark.__all__) - {"__version__"}


def test_every_command_has_its_options_in_the_reference():
    (known,) = (a for a in parser()._actions if a.choices and "run" in a.choices)
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## bench (\w+)\n\n```text\n(.*?)```", text, flags=re.S | re.M))
    assert set(parts) == set(known.choices)
    for name, command in known.choices.items():
        for option in (o for a in command._actions for o in a.option_strings):
            assert re.search(rf"(?<![\w-]){option}\b", parts[name]), (name, option)


def test_false_alarms_are_those_of_the_simulation():
    """By the kind of noise and the number of prompts, without tables of two seeds."""
    text = (ROOT / "results" / "calibration.txt").read_text(encoding="utf-8")
    line = r"^alarms +(\S.*?) {2,}\d+ x (\d+) x (\d) +(\S+) \+-"
    found = {}
    for noise, seeds, prompts, share in re.findall(line, text, flags=re.M):
        if seeds != "2":
            found.setdefault((noise, prompts), []).append(float(share))
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    (said,) = (s for s in page.splitlines() if s.startswith("- **False alarms.**"))
    numbers = [
        float(n) for pair in re.findall(r"([\d.]+) (?:to|and) ([\d.]+) %", said) for n in pair
    ]
    kinds = [(n, p) for p in "31" for n in ("normal", "lognormal")]
    expected = [v for k in kinds for v in (min(found[k]), max(found[k]))]
    wide = [v for p in "31" for v in found["lognormal, deviations 1:30 by method", p]]
    assert numbers == pytest.approx([100 * v for v in (*expected, min(wide), max(wide))], abs=0.51)
    # of the small ones to a tenth
    assert numbers[:8] == pytest.approx([100 * v for v in expected], abs=0.051)


def test_the_table_of_optimism_is_what_came_out():
    found = pd.read_csv(ROOT / "results" / "replay" / "optimism.csv").set_index(
        ["row", "statistic"]
    )
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    head, _, *lines = page[page.index("| Trials |") :].split("\n\n", 1)[0].splitlines()
    methods = [cell.strip() for cell in head.strip("|").split("|")[1:]]
    assert len(lines) == 7
    for line in lines:
        trials, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for method, said in zip(methods, cells, strict=True):
            e = found.loc[(method, f"optimism after {trials.replace(',', '')}")]
            assert said == f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]", (method, trials)
    (best,) = re.findall(r"after a median of (\d+) of 1,000", page)
    assert int(best) == found.loc[("random", "best after")].value
