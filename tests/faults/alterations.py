"""Ways to alter a folder of runs and its report: of run `first`, of the others, and of the report's
files.
"""

import json
import shutil

import pandas as pd
from PIL import Image


def edit(path, change):
    """Change a JSON file's content in place."""
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found, indent=1) + "\n")


def _put(name, value):
    def change(record):
        *parts, last = name.split("/")
        for part in parts:
            record = record[int(part) if isinstance(record, list) else part]
        last = int(last) if isinstance(record, list) else last
        record[last] = (
            value(record.get(last) if isinstance(record, dict) else record[last])
            if callable(value)
            else value
        )

    return change


def _move(one, other):
    """Seconds from one account to another: their sum stays."""

    def change(record):
        record["ledger"][other] += record["ledger"][one] / 2
        record["ledger"][one] /= 2

    return change


RECORD = {
    "seed": _put("spec/seed", 7),
    "budget": _put("spec/budget", "400nfe"),
    "method": _put("spec/method", "grid"),
    "task": _put("spec/task", "tilted"),
    "preset": _put("spec/preset", "other"),
    "prompt": _put("spec/prompt", "x"),
    "lower": _put("spec/lower", "x"),
    "marks": _put("spec/marks", []),
    "device": _put("spec/device", "cuda"),
    "task option": _put("spec/task_options/noise", 9.0),
    "method option": _put("spec/method_options/x", 9),
    "task version": _put("spec/task_version", 99),
    "fingerprint": _put("spec/fingerprint/x", "y"),
    "run_id": _put("run_id", "0123456789abcdef"),
    "status ok": _put("status", "ok"),
    "status failed": _put("status", "failed"),
    "error": _put("error", "text"),
    "nfe far over the budget": _put("nfe", 99999),
    "nfe 0": _put("nfe", 0),
    "nfe less by one": _put("nfe", lambda n: n - 1),
    "search in no time": _put("search_seconds", 0.0),
    "search shorter": _put("search_seconds", lambda s: s / 2),
    "search longer": _put("search_seconds", lambda s: s + 9),
    "objective longer": _put("ledger/objective", lambda s: s + 9),
    "method in no time": _put("ledger/method", 0.0),
    "seconds from objective to setup": _move("objective", "setup"),
    "seconds from method to report": _move("method", "report"),
    "seconds from setup to warmup": _move("setup", "warmup"),
    "wall time": _put("wall_seconds", lambda s: s + 99),
    "started later": _put("started", "2039-01-01T00:00:00Z"),
    "ended earlier": _put("ended", "2001-01-01T00:00:00Z"),
    "overrun": _put("overrun_nfe", 99799),
    "calls": _put("oracle_calls", 1),
    "memory": _put("peak_memory_bytes", 1),
    "memory of": _put("peak_memory_of", "process"),
    "notes": _put("notes", ["all is well"]),
    "jobs": _put("jobs", 64),
    "resumed": _put("resumed", 9),
    "processors": _put("environment/cpus", "64"),
    "versions": _put("environment/torch", "9.9"),
    "ended by": _put("ended_by", "guard"),
    "counted": _put("counted", "nothing"),
    "longest call": _put("longest_call_seconds", 1e6),
    "no incumbent": _put("no_incumbent", True),
    "hashes taken out": lambda record: record.pop("hashes"),
    "a hash taken out": lambda record: record["hashes"].pop("final.json"),
    "another hash": _put("hashes/final.json", "0" * 64),
}

FINAL = {
    "last objective": _put("tests/1/metrics/objective", 0.0),
    "objective of a mark": _put("tests/0/metrics/objective", 0.0),
    "objective -1e9": _put("tests/1/metrics/objective", -1e9),
    "fid added": _put("tests/1/metrics/fid", 0.1),
    "fid below 0": _put("tests/1/metrics/fid", -3.0),
    "accuracy of 7": _put("tests/1/metrics/accuracy", 7.0),
    "loss": _put("tests/1/loss", 0.0),
    "loss of a mark": _put("tests/0/loss", 0.0),
    "lam": _put("tests/1/lam/a", 0.123),
    "lam of a mark": _put("tests/0/lam/a", 0.123),
    "seconds": _put("tests/1/seconds", 0.001),
    "nfe": _put("tests/1/nfe", 3),
    "passport": _put("tests/1/passport/x", "y"),
    "curves": _put("tests/1/curves/c", [[0.0], [1.0], [2.0]]),
    "references": _put("tests/1/references/r", {"objective": 0.1}),
    "space": _put("tests/1/space/a", [-9.0, 9.0]),
    "a measurement taken out": lambda final: final["tests"].pop(0),
    "measurements swapped": lambda final: final["tests"].reverse(),
    "the last measurement taken out": lambda final: final["tests"].pop(),
}


def _lines(change):
    def alter(path):
        path.write_text("".join(change(path.read_text().splitlines(keepends=True))))

    return alter


def _line(name, value):
    def change(lines):
        last = json.loads(lines[-1])
        _put(name, value)(last)
        return [*lines[:-1], json.dumps(last) + "\n"]

    return _lines(change)


TRIALS = {
    "a trial out": _lines(lambda x: [*x[:1], *x[2:]]),
    "a trial twice": _lines(lambda x: [*x, x[-1]]),
    "a trial torn": _lines(lambda x: [*x[:-1], x[-1][:9]]),
    "trials swapped": _lines(lambda x: x[::-1]),
    "no trials": _lines(lambda x: []),
    "a trial lam outside": _line("lam/a", 1e9),
    "a trial axis": _line("lam", {"else": 1.0}),
    "a trial late": _line("nfe", 10**6),
    "a trial loss": _line("loss", 0.0),
    "a trial steps": _line("steps", 7),
}
PROPOSALS = {
    "first line out": _lines(lambda x: x[1:]),
    "last line out": _lines(lambda x: x[:-1]),
    "middle line out": _lines(lambda x: x[:1] + x[2:]),
    "line twice": _lines(lambda x: [*x, x[-1]]),
    "torn": _lines(lambda x: [*x[:-1], x[-1][:9]]),
    "empty": _lines(lambda x: []),
    "swapped": _lines(lambda x: x[::-1]),
    "a blank line": _lines(lambda x: [*x, "\n"]),
    "line loss": _line("loss", 0.0),
    "line lam outside": _line("lam/a", 1e9),
    "line lam": _line("lam/a", 0.123),
    "line nfe": _line("nfe", 199),
    "line late": _line("nfe", 10**6),
    "line seconds": _line("seconds", 1e-6),
    "gone": lambda path: path.unlink(),
}


def _replaced(old, new, count=1):
    def alter(path):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, count))

    return alter


def _added(text):
    return lambda path: path.write_text(path.read_text() + text)


def _frame(change):
    def alter(path):
        found = pd.read_csv(path)
        change(found).to_csv(path, index=False)

    return alter


REPORT = {
    "table1.md row": ("table1.md", _replaced("| random", "| mine | 0 |\n| random")),
    "table1.md end": ("table1.md", _added("| x | 1 |\n")),
    "table1.md digit": ("table1.md", _replaced("| 3 |", "| 9 |")),
    "table1.md reading": ("table1.md", _replaced("95 %", "99 %")),
    "table1.md footnote": ("table1.md", _replaced("A run took", "No run took")),
    "table1.md paragraph": ("table1.md", _added("\nAll is well.\n")),
    "table1.md head": ("table1.md", _replaced("Method", "Winner")),
    "table1.md blank": ("table1.md", _added("\n")),
    "table1.tex row": ("table1.tex", _replaced("\\bottomrule", "mine & 0 \\\\\n\\bottomrule")),
    "table1.tex input": ("table1.tex", _added("\\input{/etc/passwd}\n")),
    "table1.tex before": ("table1.tex", _replaced("\\begin", "x \\begin")),
    "table1.tex bold": ("table1.tex", _replaced("random", "\\textbf{random}")),
    "table1.tex digit": ("table1.tex", _replaced("& 3 &", "& 9 &")),
    "table1.csv row": ("table1.csv", _added("mine,0\n")),
    "table1.csv digit": ("table1.csv", _replaced(",3,0,", ",9,0,")),
    "table1.csv column": ("table1.csv", _frame(lambda t: t.assign(best=1))),
    "table1.csv row out": ("table1.csv", _frame(lambda t: t[1:])),
    "table1.csv order": ("table1.csv", _frame(lambda t: t[::-1])),
    "table1.csv bold": ("table1.csv", _frame(lambda t: t.assign(bold="objective"))),
    "differences.csv p": ("differences.csv", _frame(lambda t: t.assign(p=1e-9))),
    "differences.csv row": ("differences.csv", _frame(lambda t: t[1:])),
    "runs.csv row out": ("runs.csv", _frame(lambda t: t[1:])),
    "runs.csv row twice": ("runs.csv", _frame(lambda t: pd.concat([t, t[:1]]))),
    "runs.csv objective": ("runs.csv", _frame(lambda t: t.assign(objective=0.0))),
    "runs.csv nfe": ("runs.csv", _frame(lambda t: t.assign(nfe=1))),
    "runs.csv status": ("runs.csv", _frame(lambda t: t.assign(status="failed"))),
    "runs.csv lam": ("runs.csv", _frame(lambda t: t.assign(**{"lam.a": 0.5}))),
    "runs.csv column": ("runs.csv", _frame(lambda t: t.assign(fid=0.1))),
    "report.html cell": ("report.html", _replaced("<td>3</td>", "<td>9</td>")),
    "report.html row": ("report.html", _replaced("</tbody>", "<tr><td>mine</td></tr></tbody>")),
    "report.html end": ("report.html", _added("<p>All is well.</p>")),
    "report.html script": ("report.html", _replaced("<h1>", "<script>x</script><h1>")),
    "report.html note": ("report.html", _replaced("A run took", "No run took")),
    "report.html picture": ("report.html", _replaced('src="', 'src="x')),
    "report.html title": ("report.html", _replaced("<h1>", "<h1>The best: ")),
    "picture": ("lam_over_time.png", lambda path: Image.new("RGB", (9, 9)).save(path)),
    "picture byte": (
        "where_time_went.png",
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
    ),
    "report.json at": ("report.json", lambda path: edit(path, _put("at", "50nfe"))),
    "report.json failures": ("report.json", lambda path: edit(path, _put("failures", "worst"))),
    "report.json left out": ("report.json", lambda path: edit(path, _put("left_out", 5))),
    **{
        f"report.json {key}": ("report.json", lambda path, key=key: edit(path, _put(key, "Best.")))
        for key in ("title", "reading", "footnote", "markdown")
    },
    "report.json picture": (
        "report.json",
        lambda path: edit(path, lambda made: made["pictures"].pop()),
    ),
    "report.json run": (
        "report.json",
        lambda path: edit(path, lambda made: made["runs"].popitem()),
    ),
    "report.json hash": (
        "report.json",
        lambda path: edit(
            path, lambda made: made["runs"].update({next(iter(made["runs"])): "0" * 64})
        ),
    ),
    "report.json file": (
        "report.json",
        lambda path: edit(path, lambda made: made["files"].update({"table1.md": "0" * 64})),
    ),
    **{
        f"{name} gone": (name, lambda path: path.unlink())
        for name in (
            "runs.csv",
            "table1.csv",
            "table1.md",
            "table1.tex",
            "report.html",
            "differences.csv",
            "lam_over_time.png",
        )
    },
    "tables gone but one": (
        "",
        lambda path: [
            p.unlink() for p in path.iterdir() if p.name not in ("table1.md", "report.json")
        ],
    ),
    "runs.csv and report.json gone": (
        "",
        lambda path: [(path / n).unlink() for n in ("runs.csv", "report.json")],
    ),
    "report.json gone": ("report.json", lambda path: path.unlink()),
    "a picture added": (
        "",
        lambda path: Image.new("RGB", (9, 9)).save(path / "fid_against_clip.png"),
    ),
}

FOLDER = {
    "run gone": shutil.rmtree,
    "run renamed": lambda folder: folder.rename(folder.with_name("0123456789abcdef")),
    "run copied": lambda folder: shutil.copytree(folder, folder.with_name("0123456789abcdef")),
    "run under another method": lambda folder: shutil.copytree(
        folder, folder.parent.parent / "grid" / folder.name
    ),
    "final.json gone": lambda folder: (folder / "final.json").unlink(),
    "samples gone": lambda folder: (folder / "samples.png").unlink(),
    "samples changed": lambda folder: Image.new("RGB", (9, 9)).save(folder / "samples.png"),
    "run.json binary": lambda folder: (folder / "run.json").write_bytes(bytes(range(256))),
}
