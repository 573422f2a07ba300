"""The oracles of noise_schedule on networks of a few thousand weights."""

import dataclasses

import numpy as np
import pytest
import torch

from benchmark.check import check_task
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import UsageError
from benchmark.fitting import advance, fit
from benchmark.runs.runner import run_one
from benchmark.store.checkpoints import Checkpoints
from benchmark.store.store import Store
from methods.bilevel import Bilevel
from tasks.files import data, idx
from tasks.measure.frechet import Moments
from tasks.measure.frechet import frechet as exact_frechet
from tasks.measure.scores import inception_score
from tasks.noise_schedule import NoiseSchedule, distance
from tasks.noise_schedule.derivatives import q_difference, q_gradient, q_slope, theta_gradient
from tasks.noise_schedule.images import images
from tasks.noise_schedule.task import NoiseScheduleTask
from tasks.noise_schedule.training import Batch
from tests.fake_mnist import lay_out, table

SMALL = {**NoiseSchedule.smallest, "directions": 0}


def make(seed=0, **options):
    return NoiseScheduleTask(NoiseSchedule(**{**SMALL, **options}), seed, "cpu")


@pytest.fixture(scope="module")
def task():
    return make()


@pytest.fixture(scope="module")
def trained(task):
    return advance(task, task.init(0), task.space.default(), 8)


def inside(task):
    return np.full(task.space.dim, 0.5)


def equal(a, b):
    return all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for x, y in zip(dataclasses.astuple(a), dataclasses.astuple(b), strict=True)
    )


def test_conformance():
    results = list(check_task("noise_schedule"))
    assert len(results) >= 7
    assert [r for r in results if r[1]] == []


def test_a_step_moves_the_weights_and_leaves_its_state(task, trained):
    before = dataclasses.replace(
        trained, weights=trained.weights.clone(), first=trained.first.clone()
    )
    after = task.step(trained, task.space.default())
    assert equal(trained, before)
    assert after.steps == trained.steps + 1
    for name in ("weights", "ema", "first", "second"):
        assert not torch.equal(getattr(after, name), getattr(trained, name)), name


def test_a_state_carries_its_optimizer(task, trained):
    """Two branches from one state do not disturb each other, and moments matter."""
    lam, other = task.space.default(), inside(task)
    alone = advance(task, trained, lam, 3)
    branch = advance(task, trained, other, 3)
    assert equal(advance(task, trained, lam, 3), alone)
    assert equal(advance(task, trained, other, 3), branch)
    forgot = dataclasses.replace(trained, first=torch.zeros_like(trained.first))
    assert not torch.equal(task.step(forgot, lam).weights, task.step(trained, lam).weights)


def test_the_optimizer_is_torch_s_adamw(task):
    """Ten steps against a plain module and torch.optim.AdamW on the same batches."""
    lam = task.space.default()
    state = start = task.init(0)
    table = task.sampling.table(task.sampling.q(lam[None], task.sampling.choices.trained)[0], 1001)
    expected = make()
    network = expected.sampling.model.network
    expected.sampling.model.vector.data.copy_(state.weights)
    plain = [torch.nn.Parameter(p.detach().clone()) for p in network.parameters()]
    optimizer = torch.optim.AdamW(plain, lr=task.sampling.o.learning_rate)
    names = [n for n, _ in network.named_parameters()]
    for _ in range(10):
        batch = task.sampling.batch(task.sampling.generator("batch", state.seed, state.steps))
        abar = table[batch.t].float()
        noisy = (
            abar.view(-1, 1, 1, 1).sqrt() * batch.x0
            + (1 - abar).view(-1, 1, 1, 1).sqrt() * batch.eps
        )
        told = 1000 * torch.acos(abar.sqrt()) * 2 / torch.pi
        out = torch.func.functional_call(
            network, dict(zip(names, plain, strict=True)), (noisy, told)
        ).sample
        optimizer.zero_grad()
        ((out - batch.eps) ** 2).mean().backward()
        optimizer.step()
        state = task.step(state, lam)
    expected_weights = torch.cat([p.detach().flatten() for p in plain])
    moved = float((expected_weights - start.weights).norm())
    # not entry by entry: where a gradient is all rounding, Adam makes a step of it
    assert float((state.weights - expected_weights).norm()) < 0.02 * moved


def test_a_state_saved_and_loaded_continues_bit_for_bit(task, trained, tmp_path):
    checkpoints, other = Checkpoints(tmp_path), make()
    checkpoints.save([(0, task.pack(task.init(0))), (1, task.pack(trained))], set())
    assert equal(other.unpack(checkpoints.get(0)), task.init(0))
    again = other.unpack(checkpoints.get(1))
    assert equal(again, trained)
    lam = inside(task)
    assert equal(advance(other, again, lam, 4), advance(task, trained, lam, 4))
    assert other.loss(again, lam) == task.loss(trained, lam)


@pytest.mark.parametrize("theta", ["zeroth_order", "truncated"])
def test_z_really_moves_in_its_step_and_y_does_not(theta, trained):
    task, lam = make(theta=theta), inside(make())
    kept = trained.weights.clone()
    y = task.step(trained, lam)
    z = task.step(trained, lam, 0.1)
    assert torch.equal(trained.weights, kept)
    assert not torch.equal(z.weights, y.weights)
    assert float((z.weights - y.weights).abs().max()) > 1e-7
    assert equal(task.step(trained, lam), y)


def test_without_d_theta_z_is_y_and_the_hypergradient_is_the_difference_of_F(trained):
    """The limit gamma -> inf of `none`: d_q G cancels to the last bit."""
    task, lam = make(theta="none"), inside(make())
    y, hyper = Bilevel(gamma=100.0, steps_y=1).hypergradient(task, trained, lam)
    assert equal(y, task.step(trained, lam))
    np.testing.assert_allclose(hyper, q_difference(task.sampling, y, lam), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("schedule", "prediction", "conditioning"),
    [
        ("cosine", "epsilon", "noise"),
        ("cosine", "v_prediction", "time"),
        ("sigmoid", "epsilon", "time"),
        ("sigmoid", "v_prediction", "noise"),
        ("laplace", "epsilon", "noise"),
        ("logit_normal", "v_prediction", "noise"),
        ("knots", "epsilon", "noise"),
    ],
)
def test_autograd_d_q_G_against_finite_differences(prediction, conditioning, schedule, trained):
    task = make(prediction=prediction, conditioning=conditioning, schedule=schedule, batch=64)
    state, lam, h = task.step(task.init(0), inside(task)), inside(task), 1e-4
    batch = task.sampling.batch(task.sampling.generator("gradient", state.seed, state.steps))
    network = task.sampling.model.network.double()

    def value(point):
        q = task.sampling.q(point[None], task.sampling.choices.trained)[0]
        table = task.sampling.table(q, 1001)
        doubled = Batch(batch.x0.double(), batch.t, batch.eps.double())
        with torch.no_grad():
            return float(score_matching_in_float64(task, doubled, table))

    def score_matching_in_float64(task, batch, table):
        abar = table[batch.t]
        a = abar.view(-1, 1, 1, 1)
        noisy = a.sqrt() * batch.x0 + (1 - a).sqrt() * batch.eps
        told = batch.t / 1000 if conditioning == "time" else torch.acos(abar.sqrt()) * 2 / torch.pi
        out = network(noisy, 1000 * told).sample
        target = (
            batch.eps
            if prediction == "epsilon"
            else a.sqrt() * batch.eps - (1 - a).sqrt() * batch.x0
        )
        return ((out - target) ** 2).mean()

    again = make(prediction=prediction, conditioning=conditioning, schedule=schedule, batch=64)
    found = q_gradient(again.sampling, state, lam, 0.0)
    task.sampling.model.vector.data.copy_(state.weights)
    network.load_state_dict({k: v.double() for k, v in copy_of(again, state).items()})
    expected = [(value(lam + h * e) - value(lam - h * e)) / (2 * h) for e in np.eye(len(lam))]
    np.testing.assert_allclose(found, expected, rtol=0.01, atol=1e-3 * max(map(abs, expected)))


def copy_of(task, state):
    task.sampling.model.take(state.weights)
    return {k: v.clone() for k, v in task.sampling.model.network.state_dict().items()}


def test_zeroth_order_d_q_F_against_a_finite_difference_with_the_same_noise(task, trained):
    lam = inside(task)
    noise = task.sampling.noise(
        task.sampling.o.grad_samples,
        task.sampling.generator("difference", trained.seed, trained.steps),
    )
    found = q_difference(task.sampling, trained, lam)
    for i in range(task.space.dim):
        sides = []
        for sign in (1, -1):
            point = lam + sign * 0.01 * np.eye(task.space.dim)[i]
            sides.append(task.sampling.distances(trained.ema, noise, point[None])[0])
        assert found[i] == pytest.approx(
            (sides[0] - sides[1]) / 0.02, rel=2e-2, abs=0.02 * np.abs(found).max()
        )


@pytest.mark.parametrize("options", [{}, {"schedule": "knots"}, {"tie": False}], ids=str)
def test_d_q_F_through_sampling_against_differences(options, trained):
    through = make(by_q="autograd", **options)
    apart = make(directions=0, nu=1e-3, **options)
    lam = inside(through)
    before = through.nfe
    found, expected = (q_slope(t.sampling, trained, lam) for t in (through, apart))
    assert through.nfe - before == 3 * through.sampling.o.grad_samples * through.sampling.o.steps
    cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
    assert cosine > 0.99
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(expected), rel=0.15)
    if options.get("tie") is False:
        assert np.all(found[: len(found) // 2] == 0)
    # the network keeps no gradient of it, which a training step would add
    y = through.step(trained, lam)
    assert equal(y, make(**options).step(trained, lam))


def test_with_schedules_apart_G_knows_one_and_sampling_the_other(trained):
    task = make(tie=False)
    s, lam, d = task.sampling, inside(task), task.space.dim // 2
    assert np.all(q_gradient(s, trained, lam, 0.0)[d:] == 0)
    assert np.all(q_gradient(s, trained, lam, 0.0)[:d] != 0)
    for directions in (0, 1):
        found = q_difference(make(tie=False, directions=directions).sampling, trained, lam)
        assert np.all(found[:d] == 0)
        assert np.all(found[d:] != 0)
    sampling, training = (lam + 0.1 * (np.arange(2 * d) // d == half) for half in (1, 0))
    assert task.loss(trained, training) == task.loss(trained, lam) != task.loss(trained, sampling)
    assert equal(task.step(trained, sampling), task.step(trained, lam))
    assert not equal(task.step(trained, training), task.step(trained, lam))
    # at equal values of both it is the tied task
    tied = make()
    assert task.loss(trained, lam) == tied.loss(trained, inside(tied))
    assert equal(task.step(trained, lam), tied.step(trained, inside(tied)))
    assert {"abar(u) of training", "abar(u) of sampling"} <= set(task.test(trained, lam).curves)
    prices = NoiseSchedule(**{**SMALL, "tie": False}).prices("")
    assert prices == NoiseSchedule(**SMALL).prices("")


def test_a_network_that_knows_the_time_alone_cannot_have_schedules_apart():
    with pytest.raises(UsageError, match="set noise_schedule.conditioning=noise"):
        make(tie=False, conditioning="time")


def test_random_directions_point_the_same_way(task, trained):
    lam = inside(task)
    exact = q_difference(task.sampling, trained, lam)
    many = q_difference(make(directions=120).sampling, trained, lam)
    assert exact @ many / np.linalg.norm(exact) / np.linalg.norm(many) > 0.8


def test_F_twice_is_the_same_to_the_last_bit_and_other_seeds_differ(task, trained):
    lam = inside(task)
    assert task.loss(trained, lam) == task.loss(trained, lam) == make().loss(trained, lam)
    assert task.loss(trained, lam) != make(seed=1).loss(trained, lam)


def test_without_common_random_numbers_it_is_not(trained):
    task = make(common=False)
    lam = inside(task)
    assert task.loss(trained, lam) == make().loss(trained, lam), "trials stay comparable"
    assert not np.array_equal(
        q_gradient(task.sampling, trained, lam, 0.0), q_gradient(task.sampling, trained, lam, 0.1)
    )
    assert np.array_equal(
        q_gradient(make().sampling, trained, lam, 0.0),
        q_gradient(make().sampling, trained, lam, 0.1),
    )
    assert np.array_equal(task.grad(trained, lam), task.grad(trained, lam)), (
        "an oracle gives the same twice"
    )


def test_common_random_numbers_reduce_the_variance_of_a_difference(trained):
    """The factor that they are there for; ten draws each."""
    spread = {}
    for common in (True, False):
        found = []
        for seed in range(10):
            task = make(seed=seed, common=common)
            found.append(q_difference(task.sampling, trained, inside(task)))
        spread[common] = np.var(found, axis=0).sum()
    assert spread[False] > 4 * spread[True]


def test_all_variants_in_one_call_equal_one_call_each(task, trained):
    lams = np.random.default_rng(0).random((5, task.space.dim))
    noise = task.sampling.noise(40, task.sampling.generator("here"))
    together = task.sampling.samples(trained.ema, lams, noise)
    for lam, samples in zip(lams, together, strict=True):
        torch.testing.assert_close(
            task.sampling.samples(trained.ema, lam[None], noise)[0], samples, atol=1e-4, rtol=0
        )


def test_an_image_does_not_depend_on_the_batch(task, trained):
    lam, noise = inside(task), task.sampling.noise(40, task.sampling.generator("here"))
    whole = task.sampling.samples(trained.ema, lam[None], noise)
    parts = make(micro_batch=7).sampling.samples(trained.ema, lam[None], noise)
    torch.testing.assert_close(whole, parts, atol=1e-4, rtol=0)


def test_network_evaluations_are_counted_where_they_happen(task, trained):
    o, lam = task.sampling.o, inside(task)
    for call, expected in (
        (lambda: task.step(trained, lam), 3 * o.batch),
        (lambda: task.loss(trained, lam), o.samples * o.steps),
        (lambda: task.grad(trained, lam), 3 * o.batch),
        (
            lambda: task.grad(trained, lam, 0.1),
            3 * o.batch + 2 * task.space.dim * o.grad_samples * o.steps,
        ),
    ):
        before = task.nfe
        call()
        assert task.nfe - before == expected
    slow = make(theta="truncated", truncation=2)
    before = slow.nfe
    slow.step(trained, lam, 0.1)
    assert slow.nfe - before == 3 * o.batch + o.grad_samples * (o.steps + 2 * 2)


def test_the_differentiable_distance_equals_the_exact_one():
    rng = np.random.default_rng(0)
    real = Moments.of(rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)))
    x = torch.from_numpy(rng.normal(size=(30, 5)) + 0.3).requires_grad_()
    assert float(distance.frechet(x.detach(), real)) == pytest.approx(
        exact_frechet(x.detach().numpy(), real), rel=1e-9
    )
    assert torch.autograd.gradcheck(lambda x: distance.frechet(x, real), (x,))
    with pytest.raises(ValueError, match="more than 5"):
        distance.frechet(x[:5], real)


def test_the_truncated_gradient_lowers_F(trained):
    """A small step down it along the averaged weights lowers F on the same noise; all steps
    differentiated.
    """
    task = make(theta="truncated", truncation=3, grad_samples=64)
    lam = inside(task)
    noise = task.sampling.noise(
        64, task.sampling.generator("difference", trained.seed, trained.steps)
    )
    g = theta_gradient(task.sampling, trained, lam)
    here = task.sampling.distances(trained.ema, noise, lam[None])[0]
    step = 1e-4 / g.norm()
    down, up = (
        task.sampling.distances(trained.ema - s * step * g, noise, lam[None])[0] for s in (1, -1)
    )
    assert down < here < up
    assert (up - down) / (2 * float(step)) == pytest.approx(float(g.square().sum()), rel=0.1)


def test_a_diverging_training_is_a_trial_with_infinite_F_and_can_be_measured():
    task = make(learning_rate=1.0, horizon=30, prediction="epsilon")
    state = task.init(0)
    huge = dataclasses.replace(state, weights=state.weights * 1e6)
    after = task.step(huge, inside(task))
    assert after.diverged
    assert task.loss(after, inside(task)) == np.inf
    assert np.isnan(task.grad(after, inside(task))).all()
    assert task.step(after, inside(task)).diverged
    broken = dataclasses.replace(after, ema=torch.full_like(after.ema, torch.inf))
    assert all(np.isfinite(v) for v in task.test(broken, inside(task)).metrics.values())


def test_the_measurement_reads_the_held_out_split_on_its_own_noise(task, trained):
    test = task.test(trained, inside(task))
    assert set(test.metrics) == {"fid", "inception_score", "nearest", "training_steps"}
    assert 1 <= test.metrics["inception_score"] <= 10
    assert test.images.shape == (16, 32, 32, 3)
    assert test.curves["abar(u)"].shape == (3, 101)
    assert not np.array_equal(test.curves["abar(u)"][1], test.curves["abar(u)"][2])
    assert task.held_out.moments.digest != task.sampling.validation.digest
    assert test.passport["fid_n"] == "40"


@pytest.fixture(scope="module")
def default():
    return NoiseScheduleTask(NoiseSchedule(), 0, "cpu")


def test_real_images_place_a_number(default):
    """Every image of both splits, through the code that measures samples."""
    found = default.held_out.references
    parts = {name: images(NoiseSchedule(), name) for name in ("train", "validation", "test")}
    seen = {name: default.sampling.extract(x) for name, x in parts.items()}
    for name, split in (
        ("real validation images", "validation"),
        ("real training images", "train"),
    ):
        fid = exact_frechet(seen[split].features.numpy(), Moments.of(seen["test"].features.numpy()))
        assert found[name]["fid"] == pytest.approx(fid, rel=1e-4)
        assert found[name]["inception_score"] == pytest.approx(
            inception_score(seen[split].logits.numpy()), rel=1e-4
        )
        assert found[name]["fid"] < 0.5
        assert found[name]["inception_score"] > 9
    assert found["real training images"]["nearest"] == 0
    distances = {
        name: torch.cdist(x.flatten(1), parts["train"].flatten(1)).amin(1)
        for name, x in parts.items()
    }
    share = float(distances["validation"].quantile(0.5) / distances["test"].quantile(0.5))
    assert found["real validation images"]["nearest"] == pytest.approx(share, rel=1e-4)
    assert 0.9 < share < 1.1


def test_the_references_are_of_the_images_that_the_run_trains_on_and_measured_once(monkeypatch):
    task = make(train_images=50, test_samples=40)
    state = task.init(0)
    first = task.test(state, inside(task)).references
    assert first["real training images"]["nearest"] == 0
    assert set(first["real training images"]) == {"fid", "inception_score", "nearest"}
    assert first["real validation images"]["inception_score"] > 5, (
        "the first of what is sorted by digit would have 1"
    )
    monkeypatch.setattr(task.held_out, "figures", lambda images, found: {})
    assert task.test(state, inside(task)).references == first


def test_copies_and_noise_are_told_from_fresh_images(default):
    copies = default.sampling.train[:100] + 1e-3
    noise = torch.randn(
        100, *default.sampling.shape, generator=torch.Generator().manual_seed(0)
    ).clamp(-1, 1)
    near, far = (
        default.held_out.figures(x, default.sampling.features(x))["nearest"]
        for x in (copies, noise)
    )
    assert near < 0.01
    assert far > 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": 2000}, "at most time_steps"),
        ({"samples": 20}, "more than the 32 features"),
        ({"grad_samples": 32}, "more than the 32 features"),
        ({"test_samples": 5}, "more than the 32 features"),
        ({"channels": "12"}, "multiples of 8"),
        ({"channels": "many"}, "multiples of 8"),
        ({"truncation": 50, "theta": "truncated"}, "truncation"),
        ({"tau": "0,1"}, "above 0"),
        ({"eps": "0,1", "schedule": "sigmoid"}, "has no eps"),
    ],
)
def test_options_that_cannot_be_are_told(options, says):
    with pytest.raises(UsageError, match=says):
        make(**options)


def test_a_black_box_trial_is_the_same_for_every_method(task):
    lam = inside(task)
    assert fit(task, lam, 0).loss == fit(make(), lam, 0).loss


@pytest.mark.parametrize("count", [10, 64, 300])
def test_a_part_of_the_training_images_holds_every_digit_in_proportion(count):
    scans, labels = data.thirds("train")
    found = images(NoiseSchedule(train_images=count), "train")
    same = (found.flatten(1)[:, None] == (scans * 2 - 1).flatten(1)).all(-1)
    assert (same.sum(1) == 1).all()
    digits = torch.bincount(labels[same.int().argmax(1)], minlength=10)
    assert (digits - count * torch.bincount(labels) / len(labels)).abs().max() <= 1


def test_only_a_part_of_the_training_images_is_ordered_anew():
    """Runs on all images keep their numbers and their names; runs on a part mean something else
    than before.
    """
    whole, part = NoiseSchedule(), NoiseSchedule(train_images=64)
    assert torch.equal(images(whole, "train"), data.thirds("train")[0] * 2 - 1)
    assert set(part.fingerprint()) - set(whole.fingerprint()) == {"order of train_images"}


@pytest.mark.parametrize("preset", ["paper", "paper-small"])
def test_the_mnist_presets_run_on_a_folder(preset, tmp_path, monkeypatch):
    """The whole way from IDX files to a measured proposal, by the command line's plan; a made MNIST
    of a few images.
    """
    lay_out(tmp_path)
    monkeypatch.setattr(idx, "MNIST", table())
    monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path))
    small = {
        "horizon": 2,
        "batch": 4,
        "channels": "8,8",
        "steps": 2,
        "samples": 70,
        "grad_samples": 70,
        "test_samples": 70,
    }
    settings = [f"noise_schedule.{k}={v}" for k, v in {**small, "train_images": 6}.items()]
    specs = plan(
        "bilevel,random",
        "noise_schedule",
        preset=preset,
        settings=[*settings, "bilevel.steps_y=1"],
        budget="5000nfe",
    )
    assert {s.fingerprint["train-images-idx3-ubyte"] for s in specs} == {
        idx.MNIST["train-images-idx3-ubyte"].md5
    }
    store = Store(tmp_path / "runs")
    for spec in specs:
        status = run_one(spec, store, quiet=True)
        record = store.find(spec)
        assert status in ("ok", "budget_exhausted"), record.run["error"]
        assert record.tests[-1]["passport"]["fid_name"] == "mnist classifier"
    assert specs[0].method_options["steps_y"] == 1, (
        "what the user sets comes after what the preset sets"
    )


def test_a_preset_settles_options_of_methods(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.setattr(idx, "MNIST", table())
    monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path))
    bilevel, bayesian = plan("bilevel,bayesian", "noise_schedule", preset="paper")
    assert (bilevel.method_options["steps_y"], bilevel.method_options["steps_z"]) == (10, 1)
    assert bayesian.method_options["trials"] == 15
    paper = {
        "learning_rate": 1e-3,
        "ema": 0.995,
        "batch": 128,
        "time_steps": 1000,
        "steps": 100,
        "nu": 0.01,
    }
    assert {k: bilevel.task_options[k] for k in paper} == paper
