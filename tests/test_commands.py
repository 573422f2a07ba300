"""Every command and Python block of the documents does what it says, or says what it needs.

A line of shell carries a mark, `# (needs ...)` or `# (takes ...)`, or it is carried out here as it
stands; of a `bench run` the plan, without the probe of its task.
"""

import io
import re
import shlex
import sys
import tomllib
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmark import Budget, run
from benchmark.command.arguments import parser
from benchmark.command.cli import main
from benchmark.registry import METHODS
from benchmark.runs.forecast import Probe
from tasks.noise_schedule import NoiseSchedule
from tasks.sampling import SamplingMaker
from tests.made import made

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
NEEDS = ("a GPU", "the network", "your files", "a Dask cluster", "a Ray cluster")
MARK = re.compile(r"#.*\((needs|takes) ([^()]+)\)")
OTHER = ("pip install", "python -m pytest", "BENCH_FAULTS=full", "sample(")


@dataclass(frozen=True)
class Line:
    page: str
    text: str

    @property
    def mark(self):
        found = MARK.search(self.text)
        return found and found.groups()

    @property
    def words(self):
        return shlex.split(self.text, comments=True)


def blocks(page):
    """The language, "" where it is indented, and the lines of each block of code."""
    text = re.sub(r"<!-- \[\[\[cog.*?\]\]\] -->", "", (ROOT / page).read_text(), flags=re.S)
    fenced = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.S | re.M)
    yield from ((kind, code.splitlines()) for kind, code in fenced.findall(text))
    rest = [line for line in fenced.sub("", text).splitlines() if line.startswith("    ")]
    yield "", [line.strip() for line in rest]


def lines():
    found = [
        Line(page, part.strip())
        for page in PAGES
        for kind, code in blocks(page)
        if kind in ("", "bash")
        for text in code
        # a command after another is one of its own
        for part in re.split(r" && (?=bench|python)", text)
    ]
    return {line.text: line for line in found}.values()


LINES = [line for line in lines() if line.text.startswith("bench ") and not line.mark]
RUNS = [line.text for line in LINES if line.words[1] == "run" and ">" not in line.words]
REST = [line.text for line in LINES if line.text not in RUNS]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the repository's suites and the first example of CONTRIBUTING.md."""
    (tmp_path / "suites").symlink_to(ROOT / "suites")
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (tmp_path / "my_method.py").write_text(re.search(r"```python\n(.*?)```", text, re.S)[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DATA_DIR", raising=False)
    # which a plug-in's folder is added to
    monkeypatch.setattr("sys.path", list(sys.path))
    yield tmp_path
    METHODS.entries.pop("nearby", None)


def tried(spec, device, measure):
    return Probe(1.0, 100.0, 1000, 10.0, (1.0, 10.0), (2.0, 100.0), 0, 1.0)


def test_every_line_of_shell_is_a_command_and_every_mark_is_known():
    for line in lines():
        assert line.text.startswith(("bench ", *OTHER)), line
        if line.mark and line.mark[0] == "needs":
            assert line.mark[1].startswith(NEEDS), line
    assert len(RUNS) > 15
    assert len(REST) > 12


def test_extras_that_are_installed_are_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {e for line in lines() for e in re.findall(r"pip install .*\.\[(\w+)\]", line.text)}
    assert named
    assert named <= set(extras["optional-dependencies"])


@pytest.mark.parametrize("text", RUNS)
def test_a_run_is_planned_as_it_stands(text, here, monkeypatch, capsys):
    monkeypatch.setattr(Probe, "of", staticmethod(tried))
    words = Line("", text).words[1:]
    assert main([*words, *([] if "--dry-run" in words else ["--dry-run"])]) == 0
    assert "would run" in capsys.readouterr().out


def stored(words, here):
    """The runs that a command reads, where it looks for them."""
    kind = words[1]
    out = here / "results" / "runs"
    small = {"out": out, "engine": "in_process", "quiet": True, "marks": ()}
    if kind == "report":
        made(out, budget="60s", marks=("15s", "30s"))
    elif kind in ("verify", "export"):
        run(["random"], "quadratic", budget="100nfe", **small)
    elif kind in ("measure", "refit"):
        options = {f"noise_schedule.{k}": v for k, v in NoiseSchedule.smallest.items()}
        run(["default"], "noise_schedule", budget="1000nfe", options=options, **small)
    elif kind == "record":
        options = {"design.points": 16, "design.rungs": 2}
        run(["design"], "quadratic", budget="100000nfe", options=options, seeds=[0, 1, 2], **small)
    elif kind == "apply":
        options = {f"sampling.{k}": v for k, v in SamplingMaker.smallest.items()}
        small["out"] = here / words[2].partition("/sampling/")[0]
        run(["gp"], "sampling", budget="500nfe", options=options, **small)
    elif kind == "worker":
        asked = "run --method random --task quadratic --budget 100nfe --emit slurm"
        assert main(asked.split()) == 0


def placed(words, here):
    """With a run's name for RUN."""
    for word in words:
        if word.endswith("/RUN"):
            (found,) = here.glob(word.replace("RUN", "*"))
            yield str(found.relative_to(here))
        else:
            yield word


@pytest.mark.parametrize("text", REST)
def test_a_command_is_carried_out_as_it_stands(text, here, monkeypatch):
    shown = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address) or True)
    words = Line("", text).words
    stored(words, here)
    words, _, to = (part.strip() for part in shlex.join(words).partition("'>'"))
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(list(placed(shlex.split(words)[1:], here))) == 0
    assert out.getvalue() or words.startswith("bench worker")
    assert shown == ([(here / "results/runs/report/explore.html").as_uri()] * ("--open" in text))
    if to:
        assert "#SBATCH --array" in out.getvalue()


def recorded():
    """How the stored results were made; capital words stand for what the reader has."""
    for kind, code in blocks("results/README.md"):
        yield from (line for line in code if line and kind == "")


@pytest.mark.parametrize("text", sorted(set(recorded())))
def test_what_made_the_stored_results_is_there(text, here, monkeypatch, capsys):
    words = Line("", re.sub(r"^RUNS=\S+ ", "", text)).words
    if words[:2] == ["bench", "run"] and not Line("", text).mark:
        monkeypatch.setattr(Probe, "of", staticmethod(tried))
        assert main([*words[1:], "--dry-run"]) == 0
        assert "would run" in capsys.readouterr().out
    elif words[0] == "bench":
        parser().parse_args(words[1:])
    else:
        assert words[:2] == ["python", "-m"]
        assert find_spec(words[2] if words[2] != "speed" else f"speed.{words[3]}"), words
        if words[2] != "speed":
            options = {w for w in words if w.startswith("--")}
            assert options <= set(re.findall(r"--[\w-]+", source(words[2]))), words


def source(module):
    return Path(find_spec(module).origin).read_text()


def test_commands_within_sentences_have_options_that_are_there():
    (known,) = (a for a in parser()._actions if a.choices and "run" in a.choices)
    for page in PAGES:
        for text in re.findall(r"`bench ([^`]+)`", (ROOT / page).read_text()):
            name, _, rest = text.partition(" ")
            if name == "COMMAND":
                continue
            options = {o for a in known.choices[name]._actions for o in a.option_strings}
            assert set(re.findall(r"--[\w-]+", rest)) <= options, (page, text)


def test_the_python_of_the_documents_runs(here, monkeypatch):
    monkeypatch.setattr("benchmark.run", partial(run, engine="in_process", quiet=True))
    found = {page: [c for kind, c in blocks(page) if kind == "python"] for page in PAGES}
    # those of CONTRIBUTING.md are run by its own tests
    assert {page for page in found if found[page]} == {
        "CONTRIBUTING.md",
        "docs/commands.md",
        "docs/sampling.md",
    }
    (first,), (second,) = found["docs/commands.md"], found["docs/sampling.md"]
    names = {}
    exec("\n".join(first), names)
    assert len(names["results"].frame) == 10
    assert Budget.parse(names["results"].frame["budget"][0]) == Budget(2000, "nfe")
    exec("\n".join(second), names)
    assert callable(names["sample"])
