"""The paper's preset on files in their real layout, with the network blocked: the whole of it, and what can be wrong."""

import json

import numpy as np
import pytest
from PIL import Image

from tasks.reward_ft import RewardFt
from tests.test_cli import bench
from tests.tiny import Tiny

RUN = ["run", "--method", "bilevel", "--task", "reward_ft", "--preset", "paper"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Tiny(tmp_path_factory.mktemp("tiny"))


def words(settings):
    return [w for s in settings for w in ("--set", f"reward_ft.{s}")]


def options(tiny, **changes):
    given = dict(s.split("=", 1) for s in tiny.settings)
    numbers = {k: int(v) if v.isdecimal() else v for k, v in given.items()}
    return RewardFt(**{**RewardFt.presets["paper"], **numbers, **changes})


@pytest.mark.parametrize("lower", ["importance", "guided"])
def test_the_whole_preset_end_to_end(tiny, tmp_path, lower):
    done = bench(
        *RUN, "--lower", lower, "--budget", "200nfe", "--out", "runs", *words(tiny.settings), cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs" / "reward_ft" / "bilevel").iterdir()
    stored = json.loads((folder / "run.json").read_text())
    assert stored["status"] in ("ok", "budget_exhausted")
    (*_, test) = json.loads((folder / "final.json").read_text())["tests"]
    assert test["metrics"]["fid"] > 0
    assert -1 <= test["metrics"]["clip"] / 100 <= 1
    assert test["passport"]["fid_reference"] == "N = 3, unguided samples of the prompt"
    assert stored["spec"]["task_options"]["reward"] == "resnet_head"
    assert any("-of-" in name for name in stored["spec"]["fingerprint"])
    assert np.asarray(Image.open(folder / "samples.png")).std() > 1
    again = bench(
        *RUN, "--lower", lower, "--budget", "200nfe", "--out", "runs", *words(tiny.settings), cwd=tmp_path
    )  # fmt: skip
    assert "1 of 1 runs are stored already" in again.stderr
