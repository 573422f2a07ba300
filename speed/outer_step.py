"""One outer step of bilevel on MNIST-sized images, against the calls of the paper's released code.

36 samples, 100 DDIM steps, S_y = 10, S_z = 1, one random direction, the same network; the parts are
measured and added. Ours takes its features from the MNIST classifier, as the task does, the
released code from Inception: 13 training steps, 1,300 network calls on 36 images, 8 Inception
passes of 36 images, 6 non-symmetric 2048 x 2048 eigen-decompositions.
Targets: sampling at least 6 times faster, the whole step at least 10 times.
"""

import statistics
from collections.abc import Callable, Iterator

import numpy as np
import torch

from speed.timing import Compared, seconds
from tasks.measure import inception_network
from tasks.measure.frechet import Moments, frechet
from tasks.noise_schedule import features
from tasks.noise_schedule.diffusion import Denoiser
from tasks.noise_schedule.schedule import abar
from tasks.noise_schedule.training import Batch, Trainer, score_matching

SAMPLES, STEPS, TRAINING, ROUNDS = 36, 100, 10 + 1, 3
RELEASED = {"training step": 13, "network call": 1300, "Inception pass": 8, "decomposition": 6}
# a batched call has both sides of a difference in it
OURS = {"training step": TRAINING, "d_q G": 2, "batched call": STEPS, "distance": 2}
Parts = dict[str, list[float]]


def measured(rounds: int) -> Parts:
    """Seconds of each part in each round, after a warm-up."""
    model = Denoiser(28, (64, 128, 128), "epsilon", "time", "cpu")
    images = torch.rand(256, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    parts = {**dict(network_parts(model, images)), **dict(measure_parts(images))}
    for work in parts.values():
        work()
    turns = [{name: seconds(work) for name, work in parts.items()} for _ in range(rounds)]
    return {name: [turn[name] for turn in turns] for name in parts}


def compared(found: Parts) -> Compared:
    """A: our step, B: the released pattern."""

    def step(counts: dict[str, int], k: int) -> float:
        return sum(count * found[name][k] for name, count in counts.items())

    rounds = len(found["training step"])
    return Compared([(step(OURS, k), step(RELEASED, k)) for k in range(rounds)])


def bound(found: Parts) -> float:
    """How many times faster our step would be if sampling took no time at all."""
    kept = OURS["training step"], OURS["d_q G"]
    rest = [
        kept[0] * train + kept[1] * slope
        for train, slope in zip(found["training step"], found["d_q G"], strict=True)
    ]
    return statistics.median(b / r for (_, b), r in zip(compared(found).pairs, rest, strict=True))


def main() -> None:
    print(f"4.2 M weights, 28x28 pixels, {torch.get_num_threads()} threads")
    found = measured(ROUNDS)
    middle = {name: statistics.median(times) for name, times in found.items()}
    for what, counts in (("released pattern", RELEASED), ("ours", OURS)):
        each = {name: count * middle[name] for name, count in counts.items()}
        total = sum(each.values())
        shares = ", ".join(f"{k} {v:.1f} s ({100 * v / total:.0f} %)" for k, v in each.items())
        print(f"{what}: {total:.1f} s: {shares}")
    calls = RELEASED["network call"] * middle["network call"]
    print(f"sampling: {calls / (STEPS * middle['batched call']):.2f} times faster")
    print("whole step: {:.2f} times faster [{:.2f}, {:.2f}]".format(*compared(found).interval))


def network_parts(
    model: Denoiser, images: torch.Tensor
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What both do with the network."""
    trainer = Trainer(model, 1e-3, 0.995)
    state = trainer.init(0)
    batch = Batch.draw(images, 128, 1000, torch.Generator().manual_seed(1))
    q = torch.tensor([0.0, 1.0, 1.0, 0.008], dtype=torch.float64)
    u = torch.linspace(0, 1, 1001, dtype=torch.float64)
    table = abar("cosine", q, u, 1e-4)

    def call(n: int) -> None:
        with torch.no_grad():
            model(images[:n], torch.full((n,), 0.5), torch.full((n,), 0.5))

    def q_gradient() -> None:
        free = q.clone().requires_grad_()
        torch.autograd.grad(score_matching(model, batch, abar("cosine", free, u, 1e-4)), free)

    yield "training step", lambda: trainer.step(state, batch, table)
    yield "network call", lambda: call(SAMPLES)
    yield "batched call", lambda: call(2 * SAMPLES)
    yield "d_q G", q_gradient


def measure_parts(images: torch.Tensor) -> Iterator[tuple[str, Callable[[], object]]]:
    """How samples are measured: the released code's two parts, then one distance of ours."""
    rng = np.random.default_rng(0)
    network = inception_network.Inception(inception_network.architecture()).eval()
    mix = rng.normal(size=(2048, 2048)) / 45
    product = (mix @ mix.T) @ np.cov(rng.normal(size=(4000, 2048)), rowvar=False)

    def look(n: int) -> None:
        with torch.no_grad():
            network(images[:n].expand(-1, 3, -1, -1))

    yield "Inception pass", lambda: look(SAMPLES)
    yield "decomposition", lambda: np.linalg.eigvals(product)
    classifier = features.classifier("mnist", "cpu")
    reference = Moments.of(classifier(images).features.numpy())
    yield "distance", lambda: frechet(classifier(images[:SAMPLES]).features.numpy(), reference)
