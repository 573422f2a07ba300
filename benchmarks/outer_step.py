"""One outer step of bilevel on MNIST-sized images (36 samples, 100 DDIM steps, S_y = 10, S_z = 1, one random direction)
against the call pattern of the paper's released code, with the same network. The parts are measured and added.
Ours takes its features from the MNIST classifier, as the task does; the released code from Inception.

Released: 13 training steps, 1,300 network calls on 36 images, 8 Inception passes of 36 images, 6 non-symmetric
2048 x 2048 eigen-decompositions. Targets: sampling at least 6 times faster, the whole step at least 4 times.
"""

import statistics
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.timing import seconds
from tasks import inception
from tasks.metrics import Moments, frechet
from tasks.noise_schedule import features
from tasks.noise_schedule.diffusion import Denoiser
from tasks.noise_schedule.schedule import abar
from tasks.noise_schedule.training import Batch, Trainer, score_matching

SAMPLES, STEPS, TRAINING = 36, 100, 10 + 1
RELEASED = {"training step": 13, "network call": 1300, "Inception pass": 8, "decomposition": 6}


def median(work: Callable[[], object], rounds: int) -> float:
    work()
    times = [seconds(work) for _ in range(rounds)]
    print(f"    {statistics.median(times):.3f} s [{min(times):.3f}, {max(times):.3f}] of {rounds}", flush=True)
    return statistics.median(times)


def main() -> None:
    rng = np.random.default_rng(0)
    model = Denoiser(28, (64, 128, 128), "epsilon", "time", "cpu")
    print(f"U-Net of {model.vector.numel() / 1e6:.1f} M weights, 28x28, {torch.get_num_threads()} threads")
    trainer = Trainer(model, 1e-3, 0.995)
    state = trainer.init(0)
    images = torch.rand(256, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    batch = Batch.draw(images, 128, 1000, torch.Generator().manual_seed(1))
    q = torch.tensor([0.0, 1.0, 1.0, 0.008], dtype=torch.float64)
    u = torch.linspace(0, 1, 1001, dtype=torch.float64)
    table = abar("cosine", q, u, 1e-4)
    network = inception.Inception(inception.architecture()).eval()
    mix = rng.normal(size=(2048, 2048)) / 45
    product = (mix @ mix.T) @ np.cov(rng.normal(size=(4000, 2048)), rowvar=False)

    def call(n: int) -> None:
        with torch.no_grad():
            model(images[:n], torch.full((n,), 0.5), torch.full((n,), 0.5))

    def q_gradient() -> None:
        free = q.clone().requires_grad_()
        torch.autograd.grad(score_matching(model, batch, abar("cosine", free, u, 1e-4)), free)

    def look(n: int) -> None:
        with torch.no_grad():
            network(images[:n].expand(-1, 3, -1, -1))

    part = {}
    for name, work, rounds in (
        ("training step", lambda: trainer.step(state, batch, table), 3),
        ("network call", lambda: call(SAMPLES), 7),
        ("batched call", lambda: call(2 * SAMPLES), 7),
        ("d_q G", q_gradient, 3),
        ("Inception pass", lambda: look(SAMPLES), 2),
        ("decomposition", lambda: np.linalg.eigvals(product), 2),
    ):
        print(f"  {name}")
        part[name] = median(work, rounds)
    classifier = features.classifier("mnist", "cpu")
    reference = Moments.of(classifier(images).features.numpy())
    print("  classifier and Frechet distance, both sides")
    part["distance"] = median(
        lambda: [frechet(classifier(images[:SAMPLES]).features.numpy(), reference) for _ in range(2)], 7
    )
    released = {name: count * part[name] for name, count in RELEASED.items()}
    ours = {
        "training": TRAINING * part["training step"], "d_q G": 2 * part["d_q G"],
        "sampling": STEPS * part["batched call"], "distance": part["distance"],
    }  # fmt: skip
    for name, parts in (("released pattern", released), ("ours", ours)):
        total = sum(parts.values())
        shares = ", ".join(f"{k} {v:.1f} s ({100 * v / total:.0f} %)" for k, v in parts.items())
        print(f"{name}: {total:.1f} s: {shares}")
    print(f"sampling: {released['network call'] / ours['sampling']:.2f} times faster")
    print(f"whole step: {sum(released.values()) / sum(ours.values()):.2f} times faster")
