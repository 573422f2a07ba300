"""Every example of CONTRIBUTING.md works as a plug-in file."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
import torch

from tasks.samplers.ddim import DDIM
from tasks.samplers.protocol import Prediction, Span
from tests.test_cli import bench

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```python\n# (\w+\.py)(.*?)```", TEXT, flags=re.S))
TOY = ("calls.py", "seeds_of.py", "backwards.py", "pycma.py", "nelder_mead.py")
METHODS = ("my_method.py", "pycma.py", "nelder_mead.py")


def write(name, folder):
    """The block as a file, whose first line is its comment."""
    (folder / name).write_text(f"# {name}{BLOCKS[name]}")


def test_every_kind_of_part_has_an_example():
    every = {"lpips.py", "calls.py", "seeds_of.py", "euler.py", "backwards.py", "redness.py"}
    assert set(BLOCKS) == every | set(METHODS)
    assert next(iter(BLOCKS)) == "my_method.py"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_passes_the_check(name, tmp_path):
    """The first example too: a reader who copies it begins with something that works."""
    write(name, tmp_path)
    registered = re.search(r'@register_method\("(\w+)"', BLOCKS[name])[1]
    done = bench("check", registered, "--plugin", name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{registered}: conforms"
    assert "FAIL" not in done.stdout


def test_the_first_examples_commands_are_beside_it(tmp_path):
    write("my_method.py", tmp_path)
    commands = re.findall(r"^    (bench .*my_method\.py.*)$", TEXT, flags=re.M)
    assert [c.split()[1] for c in commands] == ["check", "run"]
    words = shlex.split(commands[1].replace("reward_ft", "quadratic"))[1:]
    done = bench(*words, "--budget", "300nfe", "--out", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "runs" / "report" / "table1.csv").set_index("method")
    assert rows["objective"].notna().all()
    assert set(rows.index) == {"nearby", "random"}


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_bench_list_knows_it(name, tmp_path):
    write(name, tmp_path)
    registered = re.search(r'@?register_\w+\("(\w+)"', BLOCKS[name])[1]
    done = bench("list", registered, "--plugin", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{registered}: ")


@pytest.mark.parametrize("name", TOY)
def test_its_command_runs(name, tmp_path):
    write(name, tmp_path)
    command = BLOCKS[name].splitlines()[0].removeprefix(" - bench ")
    done = bench(*shlex.split(command), "--out", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = tmp_path / "runs" / "report"
    assert (report / "seeds_of.png").exists() == (name == "seeds_of.py")
    calls = pd.read_csv(report / "table1.csv").get("calls")
    assert (calls is not None and (calls > 0).all()) == (name == "calls.py")


def test_the_sampler_equals_ddim_without_noise(tmp_path, monkeypatch):
    found = {}
    text = BLOCKS["euler.py"].replace('@register_sampler("euler")', "")
    exec(text.partition("\n")[2], found)
    generator = torch.Generator().manual_seed(0)
    x, eps = (torch.randn(2, 1, 8, 8, generator=generator).double() for _ in range(2))
    now, to = 0.3, 0.6
    x0 = (x - (1 - now) ** 0.5 * eps) / now**0.5
    prediction, span = Prediction(eps, x0), Span(now, to)
    mine, _ = found["Euler"](0.0).step(x, prediction, span)
    theirs, _ = DDIM(0.0).step(x, prediction, span)
    assert torch.allclose(mine, theirs, rtol=0, atol=1e-12)
