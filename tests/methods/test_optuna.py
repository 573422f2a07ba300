"""Optuna's samplers as methods: what they ask, what they are told, and what is refused."""

import io
import json
import logging
import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import CmaEsSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from benchmark import UsageError
from benchmark.check import Watched
from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import METHODS
from methods.optuna_cmaes import CMAES
from methods.optuna_gp import GP
from methods.optuna_qmc import QMC
from methods.optuna_sampler import OptunaSampler
from methods.optuna_study import search
from methods.optuna_tpe import TPE
from tasks.quadratic import Quadratic
from tests.mixed import SHIFTS, MixedTask
from tests.test_cli import bench

ROOT = Path(__file__).parents[2]
NAMED = {
    "tpe": TPE(trials=30),
    "gp": GP(trials=14),
    "cmaes": CMAES(trials=40),
    "qmc": QMC(trials=30),
    "random": OptunaSampler(30, "RandomSampler"),
    "grid": OptunaSampler(30, "GridSampler"),
    "nsga2": OptunaSampler(30, "NSGAIISampler", '{"population_size": 5}'),
    "nsga3": OptunaSampler(30, "NSGAIIISampler", '{"population_size": 5}'),
}


def quadratic():
    return Quadratic().open(0, "", "", "cpu")


class Asked:
    """A task that notes the points of its evaluations, in native values; failing: those whose F is
    infinite, by their number.
    """

    def __init__(self, task, failing=()):
        self.task, self.space, self.horizon, self.failing = task, task.space, 1, failing
        self.points = []

    def init(self, seed):
        return self.task.init(seed)

    def step(self, state, lam, tilt=0.0):
        for _ in range(self.task.horizon):
            state = self.task.step(state, lam, tilt)
        return state

    def loss(self, state, lam):
        self.points.append(self.space.native(lam))
        failed = len(self.points) - 1 in self.failing
        return math.inf if failed else self.task.loss(state, lam)


class Told(RandomSampler):
    """It notes what it was asked and told."""

    trials = []

    def after_trial(self, study, trial, state, values):
        Told.trials.append((trial, state, values))


class Talker(RandomSampler):
    """It writes to Optuna's log and warns, at each point."""

    def before_trial(self, study, trial):
        optuna.logging.get_logger("optuna.samplers").warning("a word")
        warnings.warn("another", stacklevel=1)


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setattr(Told, "trials", [])
    return Told.trials


@pytest.mark.parametrize("name", NAMED)
def test_each_beats_the_centre_and_only_improves(name):
    task = quadratic()
    found = list(NAMED[name](task, np.random.default_rng(0)))
    centre = task.test(None, np.full(2, 0.5)).metrics["objective"]
    losses = [p.loss for p in found]
    assert losses == sorted(losses, reverse=True)
    assert task.test(None, found[-1].lam).metrics["objective"] < centre


@pytest.mark.parametrize("name", NAMED)
def test_a_seed_decides_every_point(name):
    points = []
    for seed in (0, 0, 1):
        asked = Asked(MixedTask())
        list(NAMED[name](asked, np.random.default_rng(seed)))
        points.append(asked.points)
    assert points[0] == points[1] != points[2]


def test_axes_are_told_in_native_units(told):
    list(search(MixedTask(), np.random.default_rng(0), 5, Told))
    (a, n, shape) = told[0][0].distributions.values()
    assert a == optuna.distributions.FloatDistribution(-1, 1)
    assert n == optuna.distributions.IntDistribution(0, 4)
    assert shape == optuna.distributions.CategoricalDistribution(tuple(SHIFTS))


def test_the_point_that_is_evaluated_is_the_one_that_was_asked(told):
    for task in (MixedTask(), quadratic()):
        told.clear()
        asked = Asked(task)
        list(search(asked, np.random.default_rng(0), 30, Told))
        for (trial, _, _), point in zip(told, asked.points, strict=True):
            texts = {k for k, v in point.items() if isinstance(v, str)}
            assert {k: trial.params[k] for k in texts} == {k: point[k] for k in texts}
            numbers = {k: v for k, v in point.items() if k not in texts}
            assert {k: trial.params[k] for k in numbers} == pytest.approx(numbers)


def test_a_logarithmic_axis_is_asked_in_its_logarithm(told):
    asked = Asked(quadratic())
    list(search(asked, np.random.default_rng(0), 400, Told))
    assert told[0][0].distributions["b"].log
    below = np.mean([p["b"] < 1.0 for p in asked.points])  # 0.1 to 10: half of the logarithm
    assert below == pytest.approx(0.5, abs=0.1), "of equal steps of the value it were 0.09"


def test_a_failed_trial_is_told_as_failed(told):
    asked = Asked(quadratic(), failing=(0, 3))
    found = list(search(asked, np.random.default_rng(0), 6, Told))
    states = [state for _, state, _ in told]
    assert [k for k, state in enumerate(states) if state == TrialState.FAIL] == [0, 3]
    assert states.count(TrialState.COMPLETE) == 4
    assert all(np.isfinite(p.loss) for p in found)


@pytest.mark.parametrize("name", ["tpe", "cmaes", "qmc", "gp"])
@pytest.mark.parametrize("worst", [1e300, -1e300])
def test_huge_losses_are_no_overflow(name, worst):
    task = Watched("quadratic", 0, lambda k, loss: worst if k % 3 == 1 else loss)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(NAMED[name](task, np.random.default_rng(0)))


def test_cmaes_learns_a_choice_by_the_index_of_its_text():
    """Categories it would draw at random to the end; the best shape is the last one."""
    task, late = MixedTask(), []
    for seed in range(5):
        asked = Asked(task)
        list(CMAES(trials=100)(asked, np.random.default_rng(seed)))
        late += [p["shape"] for p in asked.points[-20:]]
    assert late.count("high") > 0.6 * len(late), "a third, were they drawn at random"


@pytest.mark.parametrize("margin", [False, True])
def test_cmaes_reaches_every_text_and_number(margin):
    asked = Asked(MixedTask())
    for seed in range(3):
        list(CMAES(trials=60, margin=margin)(asked, np.random.default_rng(seed)))
    assert {p["shape"] for p in asked.points} == set(SHIFTS)
    assert {p["n"] for p in asked.points} == {0, 1, 2, 3, 4}


def test_qmc_is_another_sequence_for_another_seed_and_more_even_than_random_points():
    def largest_gap(method, seed):
        asked = Asked(quadratic())
        list(method(asked, np.random.default_rng(seed)))
        return np.max(np.diff(sorted(p["a"] for p in asked.points[1:]))), asked.points[1:]

    (one, first), (two, second) = (largest_gap(QMC(trials=33), seed) for seed in (0, 1))
    assert first != second
    assert max(one, two) < largest_gap(OptunaSampler(33, "RandomSampler"), 0)[0]
    plain = [largest_gap(QMC(trials=9, scramble=False), seed)[1] for seed in (0, 1)]
    assert plain[0] == plain[1]


def test_grid_tries_the_own_grid_of_the_task_once_and_ends():
    asked = Asked(MixedTask())
    list(OptunaSampler(100, "GridSampler")(asked, np.random.default_rng(0)))
    points = {tuple(p.values()) for p in asked.points}
    assert len(points) == len(asked.points) == len(asked.space.grid())


def test_options_reach_the_sampler(monkeypatch):
    def made(method):
        seen = []
        monkeypatch.setattr(
            "methods.optuna_study.search", lambda p, r, n, kind, **kw: seen.append((kind, n, kw))
        )
        method(None, np.random.default_rng(0))
        return seen[0]

    kind, trials, kw = made(TPE(7, 3, 9, False))
    assert (kind, trials) == (TPESampler, 7)
    assert kw == {"n_startup_trials": 3, "n_ei_candidates": 9, "multivariate": False, "batch": 1}
    assert made(GP(batch=3))[2]["batch"] == made(OptunaSampler(batch=3))[2]["batch"] == 3
    assert made(CMAES())[2] == {"popsize": None, "with_margin": False}
    assert made(CMAES(population=9))[2]["popsize"] == 9
    assert made(OptunaSampler(4, "CmaEsSampler", '{"popsize": 5}'))[::2] == (
        CmaEsSampler,
        {"popsize": 5, "batch": 1},
    )


def test_the_same_arguments_are_the_same_run():
    one, other = (
        plan("optuna", "quadratic", settings=[f"optuna.args={text}"])[0].run_id
        for text in (
            '{"group":false,"n_startup_trials":5}',
            '{"n_startup_trials": 5, "group": false}',
        )
    )
    assert one == other
    assert one != plan("optuna", "quadratic")[0].run_id


def test_what_optuna_says_is_not_shown_and_its_log_is_as_it_was():
    handlers, said = logging.getLogger("optuna").handlers, io.StringIO()
    handlers.append(logging.StreamHandler(said))
    before = optuna.logging.get_verbosity(), [h.level for h in handlers]
    for method in (CMAES(10, margin=True), GP(3, deterministic=True)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            list(method(MixedTask(), np.random.default_rng(0)))
        assert caught == []
    unheard = search(MixedTask(), np.random.default_rng(0), 3, Talker)
    OptunaSampler(1, "CmaEsSampler", '{"with_margin": true, "sigma0": 0.5}')
    assert list(unheard)
    assert said.getvalue() == ""
    assert (optuna.logging.get_verbosity(), [h.level for h in handlers]) == before
    del handlers[-1]


def test_every_class_that_optuna_offers_is_taken_or_refused():
    offered = {n for n in optuna.samplers.__all__ if n.endswith("Sampler")}
    refused = {n for n in ("BaseSampler", "BaseGASampler", *REFUSED) if n in offered}
    assert {"TPESampler", "GridSampler", "BruteForceSampler"} <= offered
    for name in refused:
        with pytest.raises(UsageError, match=f"{name} is of no use here"):
            OptunaSampler(3, name)
    for name in offered - refused:
        assert list(OptunaSampler(3, name)(quadratic(), np.random.default_rng(0))), name


REFUSED = {
    "BruteForceSampler": "take GridSampler",
    "PartialFixedSampler": "made of another sampler",
}
WRONG = {
    "unknown sampler": ("sampler=TPESampelr", "did you mean 'TPESampler'?; known: "),
    "brute force": ("sampler=BruteForceSampler", REFUSED["BruteForceSampler"]),
    "partial": ("sampler=PartialFixedSampler", REFUSED["PartialFixedSampler"]),
    "base class": ("sampler=BaseSampler", "it is a base class"),
    "a function of the module": ("sampler=intersection_search_space", "unknown sampler"),
    "no package": ("sampler=hub:X", "expected hub:PACKAGE/CLASS"),
    "another folder": ("sampler=hub:../x/X", "expected hub:PACKAGE/CLASS"),
    "unknown argument": ('args={"n_startup": 3}', "did you mean 'n_startup_trials'?; it takes: "),
    "of another type": ('args={"n_startup_trials": "x"}', "n_startup_trials of TPESampler is int"),
    "true is no number": ('args={"n_startup_trials": true}', "is int, got true"),
    "no value of JSON's": ('args={"gamma": 3}', "gamma of TPESampler is Callable"),
    "the seed": ('args={"seed": 3}', "seed is the run's seed; leave it out"),
    "refused by the class": ('args={"group": true, "multivariate": false}', "TPESampler refuses"),
    "broken JSON": ("args={", "expected JSON, got '{'"),
    "no object": ("args=[1]", "expected a JSON object such as"),
    "not a number": ('args={"n_startup_trials": NaN}', "NaN is no number of JSON's"),
    "zero trials": ("trials=0", "expected a value in [1, 1e+06], got '0'"),
    "code of no hub": ("code=abc", "the code of TPESampler is not hashed, got abc"),
}


@pytest.mark.parametrize("what", WRONG)
def test_bad_options_are_refused_while_planning(what):
    setting, message = WRONG[what]
    with pytest.raises(UsageError) as caught:
        plan("optuna", "quadratic", settings=[f"optuna.{setting}"])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "what", ["unknown sampler", "unknown argument", "broken JSON", "zero trials"]
)
def test_bad_options_exit_2_and_nothing_is_written(what, tmp_path):
    setting, message = WRONG[what]
    words = ["--method", "random,optuna", "--task", "quadratic", "--out", "runs"]
    done = bench("run", *words, "--set", f"optuna.{setting}", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "setting", "package"),
    [
        ("cmaes", "cmaes.trials=3", "cmaes"),
        ("optuna", "optuna.sampler=CmaEsSampler", "cmaes"),
        ("optuna", "optuna.sampler=hub:samplers/mine/Mine", "optunahub"),
    ],
)
def test_a_missing_package_is_named_with_its_pip_line(method, setting, package, monkeypatch):
    monkeypatch.setattr("methods.optuna_needs.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=f"package {package}; pip install {package}$"):
        plan(method, "quadratic", settings=[setting])


def test_listing_imports_neither_optuna_nor_torch():
    code = (
        "import sys; from benchmark.command.cli import main\n"
        "for words in (['list'], ['list', 'optuna'], ['list', 'tpe'], ['list', 'cmaes']):\n"
        "    assert main(words) == 0\n"
        "heavy = {'optuna', 'torch', 'cmaes', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "keyword arguments" in done.stdout


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes", "qmc"])
def test_a_search_imports_nothing_slow_within_its_time(name):
    """What is imported when the method is called, before its first point, is not charged."""
    code = (
        "import sys, numpy as np\n"
        "from benchmark.registry import METHODS; from tasks.quadratic import Quadratic\n"
        f"task, method = Quadratic().open(0, '', '', 'cpu'), METHODS.get('{name}')(trials=12)\n"
        "proposals = method(task, np.random.default_rng(0))\n"
        "slow = {'optuna', 'torch', 'cmaes', 'scipy', 'scipy.stats', 'scipy.optimize'}\n"
        "before = slow & set(sys.modules)\n"
        "list(proposals)\n"
        "assert slow & set(sys.modules) == before, slow & set(sys.modules) - before\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


MINE = """from optuna.samplers import RandomSampler

NUMBER = 3


class Mine(RandomSampler):
    def __init__(self, low: float = 0.0, seed: int | None = None) -> None:
        super().__init__(seed)


class Seedless(RandomSampler):
    def __init__(self) -> None:
        super().__init__(0)
"""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A registry with one package, for OptunaHub's own loader."""
    pytest.importorskip("optunahub")
    folder = tmp_path / "package" / "samplers" / "mine"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(MINE)
    monkeypatch.setenv("BENCH_HUB_DIR", str(tmp_path / "package"))
    return folder


HUB = ["optuna.sampler=hub:samplers/mine/Mine"]


def test_a_sampler_of_a_hub_is_used_and_hashed(hub):
    (spec,) = plan("optuna", "quadratic", settings=[*HUB, 'optuna.args={"low": 1}'])
    method = METHODS.get("optuna")(**spec.method_options)
    assert len(list(method(quadratic(), np.random.default_rng(0)))) > 1
    (hub / "__init__.py").write_text(MINE + "# edited\n")
    with pytest.raises(UsageError, match=f"got {spec.method_options['code']}; leave it out"):
        METHODS.get("optuna")(**spec.method_options)
    (other,) = plan("optuna", "quadratic", settings=[*HUB, 'optuna.args={"low": 1}'])
    assert other.run_id != spec.run_id


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("samplers/mien/Mine", {}, "no package 'samplers/mien' in .*did you mean 'samplers/mine'"),
        ("samplers/mine/Mien", {}, "has no 'Mien'; did you mean 'Mine'"),
        ("samplers/mine/Mine", {"hihg": 1}, "Mine takes no 'hihg'; it takes: low"),
        ("samplers/mine/Mine", {"low": "x"}, 'low of Mine is float, got "x"'),
        ("samplers/mine/Seedless", {}, "Seedless takes no seed"),
        ("samplers/mine/NUMBER", {}, "is no class of samplers"),
    ],
)
@pytest.mark.usefixtures("hub")
def test_what_a_hub_has_not_is_refused(name, args, message):
    with pytest.raises(UsageError, match=message):
        OptunaSampler(3, f"hub:{name}", json.dumps(args))


@pytest.mark.parametrize(
    ("text", "message"),
    [("import nowhere_to_be_found", "needs the module nowhere_to_be_found"), ("1 / 0", "division")],
)
def test_a_package_that_cannot_be_loaded_is_refused(text, message, hub):
    (hub / "__init__.py").write_text(text)
    with pytest.raises(UsageError, match=message):
        OptunaSampler(3, "hub:samplers/mine/Mine")


def test_a_hub_without_a_folder_is_refused(hub, monkeypatch):
    monkeypatch.delenv("BENCH_HUB_DIR")
    with pytest.raises(UsageError, match="BENCH_HUB_DIR is not set"):
        OptunaSampler(3, f"hub:{hub.parent.name}/mine/Mine")
