"""Methods that compare trainings before a full fit: what they train, how far, and what they say."""

from collections import Counter

import numpy as np
import pytest

from benchmark.budget import Budget, OutOfBudget
from benchmark.check import Watched
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import UsageError
from benchmark.protocol import Prices
from benchmark.search.clock import Ledger
from benchmark.search.facade import facade
from benchmark.search.loop import search
from benchmark.search.metered import Metered
from benchmark.seeds import generator
from benchmark.spec import make_method
from methods.asha import Asha
from methods.brackets import price, rungs, sizes, widest
from methods.curves import Curves, improvement
from methods.freeze_thaw import FreezeThaw
from methods.hyperband import Hyperband
from methods.pbt import Pbt
from methods.successive_halving import SuccessiveHalving
from methods.trials import Costs, Trial, answers, costs, start, train
from tasks.quadratic import Quadratic
from tests.mixed import MixedTask
from tests.test_budget import FakeClock

NAMES = ("successive_halving", "hyperband", "asha", "pbt", "freeze_thaw")
METHODS = {
    "successive_halving": SuccessiveHalving,
    "hyperband": Hyperband,
    "asha": Asha,
    "pbt": Pbt,
    "freeze_thaw": FreezeThaw,
}


class Toy:
    """A task whose state is the points of its steps, and F how far their mean is from a third.

    lost: whether F of a lam is infinite.  took: called with the name of each request.
    """

    space = Quadratic().space
    horizon = 27

    def __init__(self, lost=lambda lam: False, took=lambda ask: None):
        self.nfe, self.lost, self.took = 0, lost, took
        self.steps = Counter()
        self.losses = []

    def _asked(self, ask):
        self.nfe += 1
        self.took(ask)

    def init(self, seed):
        self._asked("init")
        return ()

    def step(self, state, lam, tilt=0.0):
        self._asked("step")
        after = (*state, tuple(lam))
        self.steps[after] += 1
        return after

    def loss(self, state, lam):
        self._asked("loss")
        self.losses.append(state)
        return np.inf if self.lost(lam) else float(np.abs(np.mean(state[-1]) - 1 / 3))


def problem_of(task, budget, *, priced=True, clock=None):
    prices = Prices(1, 1, 1, 1, 1, 1, task.horizon) if priced else None
    return Metered(task, budget, Ledger(clock or FakeClock(), opened="method"), prices=prices)


def trials_of(method, task, amount=800, seed=0, priced=True, most=10**6):
    metered = problem_of(task, Budget(amount, "nfe"), priced=priced)
    found = []
    try:
        for trial in method.search(facade(metered), np.random.default_rng(seed)):
            found.append((trial.steps, trial.loss, tuple(trial.lam)))
            if len(found) >= most:
                break
    except OutOfBudget:
        pass
    return found


def proposals_of(name, task, budget, seed=0, **more):
    metered = problem_of(task, budget, **more)
    found = []
    method = make_method(name, {})
    try:
        for p in search(method, metered, generator(seed, "test"), metered.meter.ledger):
            found.append((p, metered.states.inside(p.proposal.state)))
    except OutOfBudget:
        pass
    return metered, found


def test_rungs_are_powers_below_the_horizon():
    assert rungs(300, 3, 4, 0) == [11, 33, 100, 300]
    assert rungs(300, 3, 4, 20) == [33, 100, 300]
    assert rungs(300, 3, 1, 0) == [300]
    assert rungs(3, 3, 5, 0) == [1, 3]
    assert rungs(1, 3, 5, 0) == [1]
    assert rungs(300, 3, 4, np.inf) == [300]


def test_a_bracket_by_hand():
    """9 trials of 3 steps, 3 that go on to 9, 1 that goes on to 27: 27 + 18 + 18 steps, 13 F."""
    assert sizes(9, 3, 3) == [9, 3, 1]
    assert sizes(14, 3, 3) == [14, 4, 1]
    assert sizes(2, 3, 3) == [2, 1, 1]
    assert price(9, 3, [3, 9, 27], Costs(1.0, 0.0)) == 63
    assert price(9, 3, [3, 9, 27], Costs(1.0, 5.0)) == 63 + 5 * 13
    assert widest(63, 100, 3, [3, 9, 27], Costs(1.0, 0.0)) == 9
    assert widest(62.9, 100, 3, [3, 9, 27], Costs(1.0, 0.0)) == 8
    assert widest(63, 5, 3, [3, 9, 27], Costs(1.0, 0.0)) == 5
    assert widest(0.5, 100, 3, [3, 9, 27], Costs(1.0, 0.0)) == 1
    assert widest(1.0, 100, 3, [3, 9, 27], Costs(0.0, 0.0)) == 100


def test_successive_halving_trains_what_was_counted_by_hand():
    task = Toy()
    found = trials_of(SuccessiveHalving(points=9), task, amount=10**6, most=13)
    assert [steps for steps, _, _ in found] == [3] * 9 + [9] * 3 + [27]
    assert sum(task.steps.values()) == 63
    assert len(task.losses) == 13
    by_loss = sorted(found[:9], key=lambda t: t[1])
    assert [lam for _, _, lam in found[9:12]] == [lam for _, _, lam in by_loss[:3]]
    assert found[12][2] == by_loss[0][2]


def test_successive_halving_fills_the_budget_with_one_bracket():
    """96 (3 + 1) + 32 (6 + 1) + 10 (18 + 1) = 798 of 800, and one for the start."""
    found = trials_of(SuccessiveHalving(), Toy(), amount=800)
    assert Counter(steps for steps, _, _ in found) == {3: 96, 9: 32, 27: 10}


def test_hyperband_gives_every_bracket_the_same_share():
    """After one trial up all rungs, each bracket has 112, and what the one before left.

    4 x 28 = 112; 7 x 10 + 2 x 19 = 108; 15 x 4 + 5 x 7 + 1 x 19 = 114.
    """
    found = trials_of(Hyperband(rungs=3), Toy(), amount=1 + 30 + 3 * 112)
    assert [steps for steps, _, _ in found[:3]] == [3, 9, 27]
    assert [steps for steps, _, _ in found[3:7]] == [27] * 4
    assert [steps for steps, _, _ in found[7:16]] == [9] * 7 + [27] * 2
    assert [steps for steps, _, _ in found[16:37]] == [3] * 15 + [9] * 5 + [27]


def test_asha_promotes_by_the_rule():
    """From the highest rung that has one among its best third which has not gone on yet."""
    found = trials_of(Asha(), Toy(), amount=10**6, most=200)
    assert {steps for steps, _, _ in found} == {3, 9, 27}
    rungs_ = {3: {}, 9: {}, 27: {}}
    for steps, loss, lam in found:
        expected = None
        for low, high in ((9, 27), (3, 9)):
            best = sorted(rungs_[low], key=rungs_[low].get)[: len(rungs_[low]) // 3]
            waiting = [one for one in best if one not in rungs_[high]]
            if waiting and expected is None:
                expected = (high, waiting[0])
        assert (steps, lam) == expected if expected else steps == 3
        rungs_[steps][lam] = loss


def test_asha_has_fewer_rungs_where_more_would_put_off_the_first_full_fit():
    """Nine trials from 3 steps take 9 x 4 + 3 x 7 + 19 = 76; an answer at 9 takes 10."""
    assert trials_of(Asha(), Toy(), amount=153)[0][0] == 3
    for amount in (152, 41):
        assert trials_of(Asha(), Toy(), amount=amount)[0][0] == 9
    assert trials_of(Asha(), Toy(), amount=40)[0][0] == 3


def test_asha_begins_again_when_the_rungs_are_full():
    found = trials_of(Asha(points=3), Toy(), amount=10**6, most=9)
    assert [steps for steps, _, _ in found] == [3] * 3 + [3] * 3 + [3] * 3


@pytest.mark.parametrize("name", NAMES)
def test_no_step_is_repeated(name):
    """A trial that goes on, and a copy, go on from a state: no training is done twice."""
    task = Toy()
    trials_of(METHODS[name](), task)
    assert max(task.steps.values()) == 1
    assert sum(task.steps.values()) > 200


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("amount", [10, 100, 1000])
def test_it_spends_the_budget_and_answers(name, amount):
    """Even where it pays for no full fit, which takes 29."""
    metered, found = proposals_of(name, Toy(), Budget(amount, "nfe"))
    assert metered.meter.nfe <= amount
    assert found
    assert found[0][0].nfe <= max(12, amount // 8)
    assert metered.meter.nfe >= 0.9 * amount


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_a_trained_one(name):
    """Its state has had at least a third of the steps of any, and the lowest F of those."""
    task = Toy()
    _, found = proposals_of(name, task, Budget(1000, "nfe"))
    last, state = found[-1]
    most = max(map(len, task.losses))
    assert most >= task.horizon
    assert 3 * len(state) >= most
    eligible = [s for s in task.losses if 3 * len(s) >= most]
    assert last.proposal.loss == min(abs(np.mean(s[-1]) - 1 / 3) for s in eligible)


def at(steps, loss):
    return Trial(np.zeros(1), (steps, loss), steps, loss)


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ([at(1, 0.1), at(9, 0.4)], [(1, 0.1), (9, 0.4)]),
        ([at(9, 0.4), at(1, 0.1)], [(9, 0.4)]),
        ([at(9, 0.4), at(27, 0.5)], [(9, 0.4)]),
        ([at(9, 0.4), at(27, 0.5), at(28, 0.6)], [(9, 0.4), (27, 0.5)]),
        ([at(3, 0.2), at(4, 0.3), at(9, 0.1), at(9, 0.05)], [(3, 0.2), (9, 0.1), (9, 0.05)]),
        ([at(9, np.inf), at(3, 0.2), at(27, np.nan)], [(3, 0.2)]),
        ([at(1, np.inf), at(1, -np.inf)], []),
    ],
)
def test_the_lowest_of_those_with_a_third_of_the_steps_is_published(trials, said):
    assert [p.state for p in answers(trials)] == said


def test_training_goes_on_from_the_state():
    task = Toy()
    lam = np.full(2, 0.5)
    short = train(task, start(task, lam), 3)
    long = train(task, short, 9)
    assert (short.steps, long.steps) == (3, 9)
    assert long.state[:3] == short.state
    assert sum(task.steps.values()) == 9


def test_costs_are_the_prices_or_are_measured():
    rng = np.random.default_rng(0)
    for priced in (True, False):
        metered = problem_of(Toy(), Budget(100, "nfe"), priced=priced)
        made = costs(facade(metered), rng)
        yielded = []
        while True:
            try:
                yielded.append(next(made))
            except StopIteration as stop:
                found = stop.value
                break
        assert (found.step, found.loss) == pytest.approx((0.01, 0.01))
        assert [t.steps for t in yielded] == ([] if priced else [10])


def test_in_seconds_they_are_measured_by_what_is_left():
    """A step takes 2 s and an F 12 s of 1000: the lowest rung of 27 steps is then 9."""
    clock = FakeClock()

    def took(ask):
        clock.now += {"init": 1.0, "step": 2.0, "loss": 12.0}[ask]

    task = Toy(took=took)
    metered = problem_of(task, Budget(1000, "s"), clock=clock)
    found = []
    with pytest.raises(OutOfBudget):  # noqa: PT012
        for trial in SuccessiveHalving().search(facade(metered), np.random.default_rng(0)):
            found.append(trial.steps)
    left = 1000 - 1 - 10 * 2 - 12
    n = widest(left, 100, 3, [9, 27], Costs(2.0, 12.0))
    assert n == 21  # 21 x (18 + 12) + 7 x (36 + 12) = 966 of 967
    assert found[: 1 + n + n // 3] == [10] + [9] * n + [27] * (n // 3)


def test_pieces_are_no_shorter_than_an_f_is_dear():
    assert Costs(1.0, 0.0).piece(300, 10) == 30
    assert Costs(1.0, 50.0).piece(300, 10) == 50
    assert Costs(1.0, 5000.0).piece(300, 10) == 300
    assert Costs(0.0, 1.0).piece(300, 10) == 300
    assert Costs(0.0, 0.0).piece(1, 10) == 1


def test_the_worst_of_a_population_go_on_from_copies_of_the_best():
    rng = np.random.default_rng(0)
    ranked = [Trial(np.full(2, k / 10), f"state {k}", 5, float(k)) for k in range(10)]
    after = Pbt(perturb=0.05, resample=0.0).after(Toy(), rng, ranked)
    assert after[:8] == ranked[:8]
    for copy in after[8:]:
        of = ranked[int(copy.state.split()[1])]
        assert copy.state in ("state 0", "state 1")
        assert copy.steps == 5
        assert 0 < np.abs(copy.lam - of.lam).max() <= 0.05


def test_lost_members_are_replaced_whatever_their_number():
    rng = np.random.default_rng(0)
    ranked = [Trial(np.zeros(2), "best", 5, 0.1)]
    ranked += [Trial(np.ones(2), f"lost {k}", 5, np.inf) for k in range(9)]
    assert {t.state for t in Pbt().after(Toy(), rng, ranked)} == {"best"}
    fresh = Pbt().after(Toy(), rng, ranked[1:])
    assert [(t.state, t.steps) for t in fresh] == [((), 0)] * 9


def test_a_population_has_one_lineage_a_member():
    task = Toy()
    found = trials_of(Pbt(population=5), task, amount=10**6, most=40)
    assert [steps for steps, _, _ in found] == [3 * (k // 5 + 1) for k in range(40)]


def test_the_model_finds_where_curves_end():
    """Ends (u - 0.3)^2 of exponential curves, from their first half."""
    rng = np.random.default_rng(0)
    lams = rng.random((12, 1))
    ends = ((lams - 0.3) ** 2)[:, 0]
    times = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    which = np.repeat(np.arange(12), 5)
    losses = ends[which] + 0.5 * np.exp(-8 * np.tile(times, 12))
    model = Curves.fit(lams[which], which, np.tile(times, 12), losses)
    mean, spread = model.ends(lams)
    assert np.corrcoef(mean, ends)[0, 1] > 0.95
    far = model.ends(np.array([[5.0]]))
    assert far[1][0] > 2 * spread.max()


def test_expected_improvement_by_hand():
    mean, spread = np.array([0.0, 0.0, 5.0]), np.array([1.0, 2.0, 1e-6])
    assert improvement(mean, spread, 0.0) == pytest.approx([0.398942, 0.797885, 0.0], abs=1e-6)


def test_freeze_thaw_ends_when_all_of_its_trainings_have():
    found = trials_of(FreezeThaw(points=3, pieces=3), Toy(), amount=10**6)
    assert Counter(steps for steps, _, _ in found) == {9: 3, 18: 3, 27: 3}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_has_the_same_search(name):
    first, again, other = (trials_of(METHODS[name](), Toy(), 300, seed) for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_training_is_not_gone_on_with(name):
    task = Toy(lost=lambda lam: lam[0] > 0.3)
    _, found = proposals_of(name, task, Budget(1000, "nfe"))
    assert all(i.proposal.lam[0] <= 0.3 for i, _ in found)
    assert np.isfinite(found[-1][0].proposal.loss)
    after_loss = {s for s in task.losses if s[-1][0] > 0.3}
    continued = {s[: len(lost)] for s in task.steps for lost in after_loss if len(s) > len(lost)}
    assert not continued & after_loss


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_lost_trainings_is_no_answer_and_no_crash(name):
    metered, found = proposals_of(name, Toy(lost=lambda lam: True), Budget(500, "nfe"))
    assert found == []
    assert metered.meter.nfe > 200


@pytest.mark.parametrize("name", NAMES)
def test_an_axis_of_texts_is_searched(name):
    """F is below 0.1 with the shape `high` alone."""
    task = MixedTask()
    _, found = proposals_of(name, task, Budget(900, "nfe"), priced=False)
    assert task.space.texts(found[-1][0].proposal.lam) == {"shape": "high"}


@pytest.mark.parametrize("name", NAMES)
def test_it_beats_its_own_first_answer_on_the_quadratic(name):
    gains = []
    for seed in range(3):
        task = Watched("quadratic", seed)
        _, found = proposals_of(name, task, Budget(440, "nfe"), seed)
        first, last = (task.inner.test(None, found[k][0].proposal.lam) for k in (0, -1))
        gains.append(first.metrics["objective"] - last.metrics["objective"])
    assert np.median(gains) > 0


@pytest.mark.parametrize(
    "option",
    [
        *("successive_halving.eta=1", "hyperband.rungs=0", "asha.points=0"),
        *("pbt.replaced=0.6", "pbt.population=-1", "freeze_thaw.thaws=x", "asha.etta=3"),
    ],
)
def test_a_bad_option_is_refused(option):
    name = option.split("=")[0]
    with pytest.raises(UsageError, match=name):
        plan(name.split(".")[0], "quadratic", budget="50nfe", settings=[option])
