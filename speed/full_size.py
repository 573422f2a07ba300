"""Stable Diffusion 1.5 at 512 px, random weights: the suite's guided step against diffusers' parts.

    python -m speed.full_size [--device cuda] [--runs]

Needs 5 GB of disk, and on a CPU 20 GB of memory. A: the obvious loop (diffusers' pipeline,
scheduler and autograd). B: the suite's. Then each option alone: its time and memory beside B's, and
what it does to the guided noise; then a step without guidance, compiled and not.
--runs: also a whole bilevel run of the preset, fp32 and bf16.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmark import run
from benchmark.device import peak_memory_bytes, reset_peak_memory
from benchmark.spec import make_task, settled
from speed import paper_files, plain_step
from tasks.precision import exact
from tasks.reward_ft import RewardFt, memory
from tasks.reward_ft.diffusion import DTYPES
from tasks.reward_ft.form import Form
from tasks.reward_ft.guidance import Sampler
from tasks.reward_ft.pipeline import load
from tasks.reward_ft.pull import Linear
from tasks.reward_ft.steps import Schedule

Files = Mapping[str, str]
"""The options of reward_ft that say where its files lie."""
# step K is measured
PROMPT, CFG, STEPS, K = "A beautiful landscape", 7.5, 50, 25
OPTIONS = {
    "checkpointing": {"checkpointing": True},
    "channels_last": {"channels_last": True},
    "bf16": {"dtype": "bf16"},
    "bf16, decode bf16": {"dtype": "bf16", "decode_dtype": "bf16"},
}


def timed(work: Any, device: str, rounds: int) -> tuple[float, float, Any]:
    """Seconds (the least of the rounds), peak GiB during them, and the last result."""
    # kernels are chosen and loaded at first use
    if device != "cpu":
        work()
        torch.cuda.synchronize()
    gc.collect()
    reset_peak_memory(device)
    best, result = float("inf"), None
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        # a GPU answers before its work is done
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return best, peak_memory_bytes(device) / 2**30, result


def obvious(
    folder: Path,
    z: torch.Tensor,
    reward: Linear | None,
    device: str,
    rounds: int,
    dtype: torch.dtype = torch.float32,
) -> tuple[float, float, Any]:
    """One noise prediction with diffusers' parts, guided by a reward or not at all."""
    pipe = plain_step.pipeline(folder, device, dtype)
    pipe.scheduler.set_timesteps(STEPS)
    words, t = plain_step.text(pipe, PROMPT, len(z)), pipe.scheduler.timesteps[K]
    z = z.to(dtype)
    if reward is None:
        with torch.no_grad():
            return timed(partial(plain_step.unguided, pipe, z, t, words, CFG), device, rounds)

    def loss(images: torch.Tensor) -> torch.Tensor:
        return (10.0 - reward(images.float())).square() / 2

    return timed(partial(plain_step.guided, pipe, z, t, words, CFG, loss), device, rounds)


def flops(work: Any) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def matmul_rate(device: str, dtype: torch.dtype, size: int) -> float:
    """Operations a second of a square matrix product, the best of 10."""
    a = torch.randn(size, size, device=device).to(dtype)
    seconds, _, _ = timed(lambda: a @ a, device, 10)
    return 2 * size**3 / seconds


def unguided(root: Path, device: str, rounds: int) -> None:
    """A forward pass of the U-Net alone, as it is and compiled."""
    z = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0)).to(device)
    seconds = []
    for changes in ({}, {"compile": True}):
        load.cache_clear()
        model = load(root / "sd", device, Form(**changes))
        text = model.text(PROMPT)
        with torch.no_grad():
            began = time.perf_counter()
            model.eps(z, 500, 0.5, text, CFG)
            first = time.perf_counter() - began
            step = partial(model.eps, z, 500, 0.5, text, CFG)
            took, _, eps = timed(step, device, rounds + 2)
        seconds.append(took)
        say(
            f"unguided step {changes or ''}: {took:.3f} s, the first one {first:.0f} s, "
            f"{eps.norm().item():.6f}"
        )
    say(f"   compiled against not: {seconds[1] / seconds[0]:.2f}")


def _step(folder: Path, device: str, form: Form, z: torch.Tensor, reward: Linear) -> Any:
    """The model in one form, and its guided step."""
    load.cache_clear()
    gc.collect()
    model = load(folder, device, form)
    sampler = Sampler(
        model, Schedule.of(model.scheduler, STEPS, 1.0), PROMPT, CFG, "lookahead", 10.0, 1.0, 1
    )
    return model, partial(sampler.guided_eps, K, z, model.text(PROMPT), reward, 1.0)


def _expected(files: Files, device: str, changes: Mapping[str, Any]) -> float:
    """GiB that the preflight expects."""
    options = make_task("reward_ft", settled(RewardFt, "paper", {})[0] | files)
    as_options = {name: str(v) if name == "taesd" else v for name, v in changes.items()}
    return memory.estimate(replace(options, **as_options), device) / 2**30


def compare(root: Path, files: Files, device: str, rounds: int) -> None:
    z = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0)).to(device)
    side = torch.randn(1, 3, 512, 512, generator=torch.Generator().manual_seed(1)).to(device)
    reward = Linear(side / side.numel() ** 0.5, torch.zeros(1, device=device))

    base, peak, reference = obvious(root / "sd", z, reward, device, rounds)
    say(f"A: the obvious loop, fp32: {base:.2f} s a guided step of one image, peak {peak:.1f} GiB")
    first = 0.0
    forms = {"B: the suite, fp32": {}, **OPTIONS, "taesd": {"taesd": root / "taesd"}}
    for name, changes in forms.items():
        model, guided = _step(root / "sd", device, Form(**changes), z, reward)
        seconds, peak, (eps, _) = timed(guided, device, rounds)
        gap = ((eps - reference).norm() / reference.norm()).item()
        of_b = f", {seconds / first:.2f} of B" if first else ""
        say(
            f"{name}: {seconds:.2f} s ({seconds / base:.2f} of A{of_b}), peak {peak:.1f} GiB, "
            f"preflight {_expected(files, device, changes):.1f} GiB; guided noise {gap:.1e} from "
            "A's"
        )
        if not first:
            first, count = seconds, flops(guided)
            decode, _, images = timed(partial(model.decode, z), device, 1)
            shapes = f"{tuple(z.shape)} to {tuple(images.shape)} {images.dtype}"
            say(f"   decode {shapes}: {decode:.2f} s")
        if device != "cpu" or name.startswith("B"):
            _share(count, seconds, device, Form(**changes).dtype)


def _share(count: float, seconds: float, device: str, dtype: str) -> None:
    """How much of the machine's own rate a step of `count` operations reaches."""
    rate = matmul_rate(device, DTYPES[dtype], 8192 if device != "cpu" else 2048)
    say(
        f"   {count / 1e12:.2f} Tflop a step: {100 * count / seconds / rate:.0f} % of this "
        f"machine's {dtype} matrix product"
    )


def say(line: str) -> None:
    print(line, flush=True)


def whole_runs(
    root: Path,
    files: Files,
    device: str,
    budget: str = "300s",
    more: Mapping[str, object] | None = None,
) -> None:
    """A bilevel run of the preset, at both precisions. more: options beside the preset's."""
    for dtype in ("fp32", "bf16"):
        began = time.perf_counter()
        frame = run(
            "bilevel",
            "reward_ft",
            preset="paper",
            lower="guided",
            budget=budget,
            device=device,
            out=root / "runs",
            options={
                **{f"reward_ft.{name}": path for name, path in files.items()},
                "reward_ft.dtype": dtype,
                "reward_ft.test_images": 6,
                "reward_ft.reference_images": 6,
                **(more or {}),
            },
        ).frame
        say(f"bilevel, {dtype}: {time.perf_counter() - began:.0f} s")
        columns = ["status", "nfe", "search_seconds", "peak_memory_bytes", "fid", "clip"]
        say(frame[columns].to_string())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m speed.full_size")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", action="store_true")
    parser.add_argument("--unguided", action="store_true", help="steps without guidance alone")
    parser.add_argument("--rounds", type=int, default=0, help="(default: 1 on a CPU, 5 on a GPU)")
    args = parser.parse_args()
    rounds = args.rounds or (1 if args.device == "cpu" else 5)
    exact(args.device)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        files = paper_files.preset(root)
        paper_files.tiny_autoencoder(root)
        size = sum(p.stat().st_size for p in root.rglob("*") if p.is_file())
        say(
            f"{size / 1e9:.1f} GB written; torch {torch.__version__}, {torch.get_num_threads()} "
            f"threads, {args.device}"
        )
        if not args.unguided:
            compare(root, files, args.device, rounds)
        unguided(root, args.device, rounds)
        if args.runs:
            whole_runs(root, files, args.device)


if __name__ == "__main__":
    main()
