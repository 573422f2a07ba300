"""All that is to be measured on a card, in at most 25 minutes.

    BENCH_DEVICE=cuda BENCH_MINUTES=25 BENCH_DATA_DIR=... BENCH_OUT=gpu python -m speed gpu

1. Stable Diffusion 1.5 at full size with random weights: a guided step, an unguided one and a
   decode, by batch, precision and memory layout: milliseconds an image, peak memory, the share of
   the card's own matrix product (goal 40 % in bf16), beside diffusers' plain loop (goal 2 times).
2. The unguided step compiled, and with CUDA graphs.
3. Equality: fp32 against the CPU (1e-3), and what bf16 changes.
4. The whole paper preset, bilevel and random.
5. noise_schedule at the paper's settings on MNIST, as many of three seeds as the time allows.

Each figure is a line of JSON in BENCH_OUT/gpu.jsonl as soon as it is there; a part that fails, or
that the time no longer allows, is a line too. On a CPU it runs as well, which a test does.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmark import run
from benchmark.errors import format_error
from speed.full_size import CFG, PROMPT, K, _step, flops, matmul_rate, obvious, timed
from tasks.precision import exact
from tasks.reward_ft.diffusion import DTYPES
from tasks.reward_ft.form import Form
from tasks.reward_ft.pipeline import load
from tasks.reward_ft.pull import Linear

# that each part may take: twice its budgets and what comes after, or a guess
_SECONDS = {
    "steps": 180.0,
    "plain loop": 120.0,
    "equality": 120.0,
    "compiled": 240.0,
    "searches": 360.0,
    "schedule": 270.0,
}


@dataclass(frozen=True)
class Scale:
    """How much is measured; the defaults are for a card.

    trained: options of noise_schedule.  searched: of reward_ft, beside the files.  modes: of
    torch.compile; "": not compiled, eager: traced alone, which is what a small CPU has time for.
    """

    batches: Sequence[int] = (1, 4, 16)
    rounds: int = 5
    matrix: int = 8192
    modes: Sequence[str] = ("", "default", "reduce-overhead")
    budget: str = "120s"
    preset: str = "paper"
    trained_budget: str = "90s"
    trained: Mapping[str, object] = field(default_factory=dict)
    searched: Mapping[str, object] = field(
        default_factory=lambda: {"test_images": 12, "reference_images": 12}
    )


@dataclass
class Report:
    """Lines of one measurement. minutes: that all of it may take."""

    out: Path
    minutes: float
    began: float = field(default_factory=time.monotonic)

    def say(self, part: str, **figures: object) -> None:
        line = json.dumps({"part": part, **figures})
        print(line, flush=True)
        with (self.out / "gpu.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def step(
        self, part: str, form: str, n: int, seconds: float, peak: float, **more: object
    ) -> None:
        """One step of a batch of n images. peak: GiB."""
        each, most = round(1000 * seconds / n, 2), round(peak, 2)
        self.say(part, form=form, batch=n, ms_an_image=each, peak_gib=most, **more)

    def part(self, name: str, work: Callable[[], None], most: float = 1.0) -> None:
        """Do it if there is time. What goes wrong in one part costs no other.

        most: seconds that it may take, by budgets and what such parts took.
        """
        left = self.minutes * 60 - (time.monotonic() - self.began)
        if left < most:
            self.say(name, skipped="no time is left")
            return
        began = time.monotonic()
        try:
            work()
        except Exception as error:
            self.say(name, failed=format_error(error))
        else:
            self.say(name, seconds=round(time.monotonic() - began, 1))


def _forms(device: str) -> Iterator[tuple[str, Form]]:
    yield "fp32", Form()
    yield "bf16", Form(dtype="bf16", decode_dtype="bf16")
    if device != "cpu":
        # on a CPU it is measured by `python -m speed.full_size`
        yield "bf16 channels_last", Form(dtype="bf16", decode_dtype="bf16", channels_last=True)


def _latents(model: Any, n: int, device: str) -> torch.Tensor:
    return torch.randn(n, *model.latent_shape, generator=torch.Generator().manual_seed(0)).to(
        device
    )


def _reward(model: Any, z: torch.Tensor, device: str) -> Linear:
    """A linear one, so that what is timed is the model."""
    with torch.no_grad():
        shape = model.decode(z).shape
    side = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(device)
    return Linear(side / side[0].numel() ** 0.5, torch.zeros(len(z), device=device))


def steps(root: Path, device: str, scale: Scale, report: Report) -> None:
    """Guided and unguided steps and decodes of the suite, by form and batch."""
    for name, form in _forms(device):
        rate = matmul_rate(device, DTYPES[form.dtype], scale.matrix)
        report.say("matrix product", form=name, teraflops=round(rate / 1e12, 2))
        for n in scale.batches:
            load.cache_clear()
            model = load(root, device, form)
            z = _latents(model, n, device)
            reward = _reward(model, z, device)
            _, guided = _step(root, device, form, z, reward)
            text = model.text(PROMPT)
            works = {
                "guided step": guided,
                "unguided step": partial(model.eps, z, 500, 0.5, text, CFG),
                "decode": partial(model.decode, z),
            }
            for what, work in works.items():
                _told(report, what, name, n, work, device, scale, rate)


def _told(
    report: Report,
    what: str,
    name: str,
    n: int,
    work: Callable[[], object],
    device: str,
    scale: Scale,
    rate: float,
) -> None:
    with torch.set_grad_enabled(what == "guided step"):
        seconds, peak, _ = timed(work, device, scale.rounds)
        count = flops(work)
    report.step(
        what, name, n, seconds, peak, share_of_matrix_product=round(count / seconds / rate, 3)
    )


def loop(root: Path, device: str, scale: Scale, report: Report) -> None:
    """The same by diffusers' own pipeline and autograd, fp32 as its users have it, and bf16."""
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        for n in scale.batches:
            load.cache_clear()
            model = load(root, device, Form())
            z = _latents(model, n, device)
            works = {"plain guided step": _reward(model, z, device), "plain unguided step": None}
            del model
            for what, reward in works.items():
                seconds, peak, _ = obvious(root, z, reward, device, scale.rounds, dtype)
                report.step(what, name, n, seconds, peak)


def compiled(root: Path, device: str, scale: Scale, report: Report) -> None:
    """The unguided step: as it is, compiled, and with CUDA graphs."""
    for mode in scale.modes:
        load.cache_clear()
        model = load(root, device, Form(dtype="bf16", decode_dtype="bf16"))
        if mode:
            how: dict[str, Any] = {"backend": "eager"} if mode == "eager" else {"mode": mode}
            model._plain_unet = torch.compile(model._unet, **how)
        z, text = _latents(model, scale.batches[-1], device), model.text(PROMPT)
        with torch.no_grad():
            began = time.perf_counter()
            model.eps(z, 500, 0.5, text, CFG)
            first = time.perf_counter() - began
            step = partial(model.eps, z, 500, 0.5, text, CFG)
            seconds, peak, _ = timed(step, device, scale.rounds)
        report.say(
            "unguided step compiled",
            mode=mode or "no",
            batch=len(z),
            ms_an_image=round(1000 * seconds / len(z), 2),
            first_seconds=round(first, 1),
            peak_gib=round(peak, 2),
        )


def equal(root: Path, device: str, scale: Scale, report: Report) -> None:
    """The guided noise of one image on the device, against the CPU in fp32."""
    found = {}
    for name, where, form in (
        ("cpu", "cpu", Form()),
        ("fp32", device, Form()),
        ("bf16", device, Form(dtype="bf16", decode_dtype="bf16")),
    ):
        load.cache_clear()
        model = load(root, where, form)
        z = _latents(model, 1, where)
        _, guided = _step(root, where, form, z, _reward(model, z, where))
        found[name] = guided()[0].float().cpu()
    size = found["cpu"].norm()
    for name in ("fp32", "bf16"):
        gap = ((found[name] - found["cpu"]).norm() / size).item()
        report.say("guided noise against the CPU", form=name, step=K, relative=gap)


def searches(files: Mapping[str, object], device: str, scale: Scale, report: Report) -> None:
    """The whole preset, bilevel and random, under one budget."""
    for method in ("bilevel", "random"):
        frame = run(
            method,
            "reward_ft",
            preset="paper",
            lower="guided",
            budget=scale.budget,
            device=device,
            out=report.out / "runs",
            options={f"reward_ft.{k}": v for k, v in {**files, **scale.searched}.items()},
        ).frame
        (row,) = frame.to_dict("records")
        names = ("status", "nfe", "search_seconds", "peak_memory_bytes", "fid", "clip")
        report.say("paper preset", method=method, **{name: row.get(name) for name in names})


def trainings(device: str, data: str, scale: Scale, report: Report) -> None:
    """noise_schedule at the paper's settings: each seed is a part, so that time can end it."""

    def one(seed: int) -> None:
        for method in ("bilevel", "random"):
            frame = run(
                method,
                "noise_schedule",
                preset=scale.preset,
                budget=scale.trained_budget,
                seeds=[seed],
                device=device,
                out=report.out / "runs",
                data_dir=data or None,
                options={f"noise_schedule.{k}": v for k, v in scale.trained.items()},
            ).frame
            (row,) = frame.to_dict("records")
            names = ("status", "nfe", "search_seconds", "peak_memory_bytes", "fid")
            report.say("schedule", method=method, seed=seed, **{n: row.get(n) for n in names})

    for seed in range(3):
        report.part(f"noise_schedule, seed {seed}", partial(one, seed), _SECONDS["schedule"])


def everything(
    files: Mapping[str, object], device: str, scale: Scale, report: Report, data: str = ""
) -> None:
    """files: the options of reward_ft that say where its files lie."""
    exact(device)
    root = Path(str(files["model"]))
    report.say("machine", torch=torch.__version__, device=device, name=_name(device))
    of_model = {"steps": steps, "plain loop": loop, "equality": equal, "compiled": compiled}
    for name, work in of_model.items():
        report.part(name, partial(work, root, device, scale, report), _SECONDS[name])
    report.part("searches", partial(searches, files, device, scale, report), _SECONDS["searches"])
    trainings(device, data, scale, report)


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device.startswith("cuda") else "cpu"


def main() -> None:
    from speed import paper_files

    out = Path(os.environ.get("BENCH_OUT", "gpu"))
    out.mkdir(parents=True, exist_ok=True)
    report = Report(out, float(os.environ.get("BENCH_MINUTES", "25")))
    with tempfile.TemporaryDirectory() as name:
        files = paper_files.preset(Path(name))
        device, data = os.environ.get("BENCH_DEVICE", "cuda"), os.environ.get("BENCH_DATA_DIR", "")
        everything(files, device, Scale(), report, data)
