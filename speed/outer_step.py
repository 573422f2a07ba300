"""One outer step of bilevel on MNIST-sized images, against the calls of the paper's released code.

36 samples, 100 DDIM steps, S_y = 10, S_z = 1, one random direction, the same network; the parts are
measured and added. Ours takes its features from the MNIST classifier, as the task does, the
released code from Inception: 13 training steps, 1,300 network calls on 36 images, 8 Inception
passes of 36 images, 6 non-symmetric 2048 x 2048 eigen-decompositions.
Targets: sampling at least 6 times faster, the whole step at least 4 times.
"""

import statistics
from collections.abc import Callable, Iterator

import numpy as np
import torch

from speed.timing import seconds
from tasks.measure import inception_network
from tasks.measure.frechet import Moments, frechet
from tasks.noise_schedule import features
from tasks.noise_schedule.diffusion import Denoiser
from tasks.noise_schedule.schedule import abar
from tasks.noise_schedule.training import Batch, Trainer, score_matching

# what is timed: its name, the work, the rounds
Part = tuple[str, Callable[[], object], int]
SAMPLES, STEPS, TRAINING = 36, 100, 10 + 1
RELEASED = {"training step": 13, "network call": 1300, "Inception pass": 8, "decomposition": 6}


def median(work: Callable[[], object], rounds: int) -> float:
    work()
    times = [seconds(work) for _ in range(rounds)]
    print(
        f"    {statistics.median(times):.3f} s [{min(times):.3f}, {max(times):.3f}] of {rounds}",
        flush=True,
    )
    return statistics.median(times)


def main() -> None:
    model = Denoiser(28, (64, 128, 128), "epsilon", "time", "cpu")
    weights = f"{model.vector.numel() / 1e6:.1f} M weights"
    print(f"U-Net of {weights}, 28x28, {torch.get_num_threads()} threads")
    images = torch.rand(256, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    part = {}
    for name, work, rounds in (*network_parts(model, images), *measure_parts(images)):
        print(f"  {name}")
        part[name] = median(work, rounds)
    released = {name: count * part[name] for name, count in RELEASED.items()}
    ours = {
        "training": TRAINING * part["training step"],
        "d_q G": 2 * part["d_q G"],
        "sampling": STEPS * part["batched call"],
        "distance": part["distance"],
    }
    for name, parts in (("released pattern", released), ("ours", ours)):
        total = sum(parts.values())
        shares = ", ".join(f"{k} {v:.1f} s ({100 * v / total:.0f} %)" for k, v in parts.items())
        print(f"{name}: {total:.1f} s: {shares}")
    print(f"sampling: {released['network call'] / ours['sampling']:.2f} times faster")
    print(f"whole step: {sum(released.values()) / sum(ours.values()):.2f} times faster")


def network_parts(model: Denoiser, images: torch.Tensor) -> Iterator[Part]:
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

    yield "training step", lambda: trainer.step(state, batch, table), 3
    yield "network call", lambda: call(SAMPLES), 7
    # both sides of a difference in one call
    yield "batched call", lambda: call(2 * SAMPLES), 7
    yield "d_q G", q_gradient, 3


def measure_parts(images: torch.Tensor) -> Iterator[Part]:
    """How samples are measured: the released code's two parts, then ours, both sides of it."""
    rng = np.random.default_rng(0)
    network = inception_network.Inception(inception_network.architecture()).eval()
    mix = rng.normal(size=(2048, 2048)) / 45
    product = (mix @ mix.T) @ np.cov(rng.normal(size=(4000, 2048)), rowvar=False)

    def look(n: int) -> None:
        with torch.no_grad():
            network(images[:n].expand(-1, 3, -1, -1))

    yield "Inception pass", lambda: look(SAMPLES), 2
    yield "decomposition", lambda: np.linalg.eigvals(product), 2
    classifier = features.classifier("mnist", "cpu")
    reference = Moments.of(classifier(images).features.numpy())

    def distance() -> float:
        return frechet(classifier(images[:SAMPLES]).features.numpy(), reference)

    yield "distance", lambda: [distance() for _ in range(2)], 7
