"""The metrics that a task's `test` measures: how each is called, printed, compared and bounded.

    from benchmark import Metric, register_metric

    register_metric("lpips", Metric("LPIPS", digits=3, lower=True, low=0))

A package offers one by the entry-point group `bench.metrics`. A metric that nobody described has a
column all the same, under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import cast

from benchmark.errors import UsageError
from benchmark.names import refit_of
from benchmark.plugins.load import at_work
from benchmark.protocol import FeaturePairs
from benchmark.registry import METRICS
from benchmark.report.columns import Column
from benchmark.report.offered import offered

_FILES = ("table1", "runs")
OPTIMISM = "optimism_of_f"
"""The column that comes of a run's F and the same on held-out data, where a task measures both."""
Measure = Callable[[FeaturePairs], tuple[float, str]]


@dataclass(frozen=True)
class Metric(Column):
    """lower: True where less is better, False where more is, None where neither is.

    shown: False for a column of runs.csv alone.  main: the picture over time shows it unless
    another is asked for; where a table has none, its first column.  always: of `table1` and `runs`,
    the CSV files that have its column whether or not a run measured it.
    measure: how `bench measure` computes it of `FeaturePairs`, to the value and a text that says
        how, or where that function is, as `module:name`. It raises ValueError for features that do
        not do.
    """

    lower: bool | None = None
    shown: bool = True
    main: bool = False
    always: tuple[str, ...] = ()
    measure: Measure | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        lower = self.lower is None or isinstance(self.lower, bool)
        self.check("lower", "True, False or None", lower)
        for name in ("shown", "main"):
            self.check(name, "True or False", isinstance(getattr(self, name), bool))
        files = isinstance(self.always, tuple) and set(self.always) <= set(_FILES)
        known = self.measure is None or isinstance(self.measure, str) or callable(self.measure)
        self.check("measure", "a function, or 'module:name'", known)
        self.check("always", f"a tuple of {' and '.join(map(repr, _FILES))}", files)

    def described(self) -> Iterator[str]:
        yield from super().described()
        better = {True: "less", False: "more", None: "neither less nor more"}[self.lower]
        yield f"better: {better}"
        if not self.shown:
            yield "in runs.csv alone"
        if self.measure is not None:
            yield "by `bench measure`, of stored answers"

    def function(self) -> Measure:
        """What computes it. Raises TypeError where there is none."""
        if isinstance(self.measure, str):
            module, _, name = self.measure.partition(":")
            return cast(Measure, getattr(import_module(module), name))
        if self.measure is None:
            raise TypeError(f"{self.head}: nothing computes it of stored answers")
        return self.measure

    @property
    def arrow(self) -> str:
        """Where better values are, for a heading."""
        return {True: " ↓", False: " ↑", None: ""}[self.lower]


TABLE = {
    "fid": Metric(
        "FID",
        digits=2,
        lower=True,
        low=0,
        always=("table1", "runs"),
        about="Frechet distance between the features of generated and of held-out images.",
    ),
    "clip": Metric(
        "CLIP score",
        lower=False,
        low=0,
        high=100,
        main=True,
        always=("table1", "runs"),
        about="100 times the mean cosine of an image and its prompt, a negative one as 0.",
    ),
    "inception_score": Metric(
        "IS",
        digits=2,
        lower=False,
        low=1,
        always=("runs",),
        about="Inception score: images that are clear, and together of many classes.",
    ),
    "kid": Metric(
        "KID",
        digits=4,
        lower=True,
        about="Kernel distance to held-out images, without bias (arXiv 1801.01401).",
        measure="benchmark.metrics.scores:kid",
    ),
    "kid_deviation": Metric(
        "KID deviation",
        digits=4,
        low=0,
        about="Of KID over subsets of the images.",
        measure="benchmark.metrics.scores:kid_deviation",
    ),
    "precision": Metric(
        "Precision",
        digits=3,
        lower=False,
        low=0,
        high=1,
        about="Share of the images that lie among held-out ones (arXiv 1904.06991).",
        measure="benchmark.metrics.scores:precision",
    ),
    "recall": Metric(
        "Recall",
        digits=3,
        lower=False,
        low=0,
        high=1,
        about="Share of held-out images that lie among the generated ones.",
        measure="benchmark.metrics.scores:recall",
    ),
    "cmmd": Metric(
        "CMMD",
        digits=2,
        lower=True,
        low=0,
        about="Kernel distance to held-out images in CLIP's embeddings (arXiv 2401.09603).",
        measure="benchmark.metrics.scores:cmmd",
    ),
    "fd_dinov2": Metric(
        "FD-DINOv2",
        digits=1,
        lower=True,
        low=0,
        about="Frechet distance in the features of DINOv2 (arXiv 2306.04675).",
        measure="tasks.measure.learned:fd_dinov2",
    ),
    "hpsv2": Metric(
        "HPSv2",
        digits=2,
        lower=False,
        about="Human Preference Score v2 of images and prompts (arXiv 2306.09341).",
        measure="tasks.measure.learned:hpsv2",
    ),
    "pick_score": Metric(
        "PickScore",
        digits=2,
        lower=False,
        about="PickScore of images and prompts (arXiv 2305.01569).",
        measure="tasks.measure.learned:pick_score",
    ),
    "image_reward": Metric(
        "ImageReward",
        digits=3,
        lower=False,
        about="ImageReward of images and prompts (arXiv 2304.05977).",
        measure="tasks.measure.learned:image_reward",
    ),
    # nothing is won by being further away than fresh real images are
    "nearest": Metric(
        "Nearest train",
        digits=2,
        low=0,
        about="Distance to the nearest training image: 1 as of fresh real images, 0 of copies.",
    ),
    "accuracy": Metric(
        "Accuracy",
        digits=3,
        lower=False,
        low=0,
        high=1,
        about="Share of the images that show what the prompt says, by a judge.",
    ),
    # what guidance pushes: more of it is not better
    "reward": Metric("Reward r2", digits=2, about="Mean of the lower-level reward r2."),
    # to be set beside `clip`: the further above it, the less the bank could be trusted
    "promised": Metric(
        "CLIP promised",
        low=0,
        high=100,
        about="The CLIP score that the bank has at the strengths that were sampled with.",
    ),
    "objective": Metric("F", digits=4, lower=True, about="The upper objective F itself."),
    # of F, so it is no quality of the answer
    OPTIMISM: Metric(
        "Optimism of F",
        digits=3,
        about="Held-out F less the F that the search saw: luck, and of a biased F its other bias.",
    ),
    # more of them is not tuning
    "training_steps": Metric(
        "Steps", digits=0, low=0, about="Training steps of the network that was measured."
    ),
    "lam_used": Metric(
        "lam used",
        digits=None,
        shown=False,
        about="The lam that was sampled with, where the guard of the weights raised it.",
    ),
    "path_kl": Metric(
        "Path KL",
        digits=2,
        shown=False,
        low=0,
        about="KL of guided sampling to unguided sampling, over the whole path, in nats.",
    ),
    "ess": Metric(
        "ESS", digits=None, shown=False, low=0, about="Effective size of the weighted sample."
    ),
}


def metric_of(name: str) -> Metric:
    """How a metric is shown; one that nobody described, or a broken package, as a plain column.

    That of a refit is shown as what it measured.
    """
    if (refit := refit_of(name)) is not None and name not in METRICS:
        base, steps = metric_of(refit[0]), refit[1]
        head = f"{base.head} refit{f', {steps} steps' if steps else ''}"
        return replace(base, head=head, main=False, always=(), shown=True)
    found = offered(METRICS, name, Metric) if name in METRICS else None
    return Metric(name, digits=None) if found is None else found


def is_later(name: str) -> bool:
    """Whether a metric is measured after the runs, by `bench refit` or `bench measure`."""
    return refit_of(name) is not None or metric_of(name).measure is not None


def described(name: str) -> bool:
    """Whether somebody registered a description of it."""
    refit = refit_of(name)
    return name in METRICS or (refit is not None and described(refit[0]))


def in_order(names: Collection[str]) -> list[str]:
    """Those that a table shows: described ones as they were registered, then others by name.

    What an answer is worth by itself comes first, the longest refit before the shorter ones.
    """
    refits = {name: found for name in names if (found := refit_of(name)) is not None}
    plain = set(names) - set(refits)
    known = [name for name in METRICS.complete() if name in plain and metric_of(name).shown]
    rest = known + sorted(plain - set(METRICS.entries))
    lengths = sorted({steps for _, steps in refits.values()}, key=lambda s: -int(s or 10**15))
    bases = in_order({base for base, _ in refits.values()}) if refits else []
    by_place = {place: name for name, place in refits.items()}
    places = [(base, steps) for steps in lengths for base in bases]
    return [by_place[place] for place in places if place in by_place] + rest


def always_in(file: str) -> tuple[str, ...]:
    """The metrics whose column the file `table1` or `runs` has, whether or not a run has them."""
    return tuple(name for name in METRICS.complete() if file in metric_of(name).always)


def main_of(names: Collection[str]) -> str | None:
    """What the picture over time shows of these columns unless another is asked for."""
    # a refit is of the answer at the end: over time it would be a point
    found = [m for m in names if refit_of(m) is None] or list(names)
    return next((m for m in found if metric_of(m).main), next(iter(found), None))


def register_metric(name: str, metric: Metric) -> Metric:
    """Describe a metric, under the name that `test` gives it.

    Raises UsageError for what is no name or no `Metric`, and for a name that is taken.
    """
    if not isinstance(metric, Metric):
        raise UsageError(
            f"metric {name!r}: expected a benchmark.Metric, got {type(metric).__name__}"
        )
    METRICS.register(name, metric, f"register_metric in {at_work() or 'this process'}")
    return metric
