"""The presets of noise_schedule."""

from __future__ import annotations

from collections.abc import Mapping

# as many trials as the budget has room for
_BY_TRIALS = ("random", "bayesian", "tpe", "gp", "cmaes", "qmc")

PRESETS: Mapping[str, Mapping[str, object]] = {
    "embedded": {
        "bilevel.steps_y": 10,
        "bilevel.gamma": 10.0,
        # with more, a minute of trials ends before the Gaussian process is used
        "bayesian.initial": 2,
    },
    # a training in three seconds of one core, so that searches by trials have enough of them: 24 in
    # 400,000 evaluations; with channels 8,16 longer trainings gain nothing, whatever the schedule
    "trials": {
        "schedule": "knots",
        "horizon": 80,
        "batch": 64,
        "samples": 256,
        "grad_samples": 64,
        "test_samples": 1000,
        "theta": "truncated",
        "by_q": "autograd",
        # without, a step on lam too far is never taken back (DESIGN.md, 144)
        "bilevel.control": "loss",
        **{f"{method}.trials": 1000 for method in _BY_TRIALS},
    },
    # S_y = 20 for each of the 391 batches of the first epoch, then 10; the paper's S_z = 1, nu,
    # batch and time steps are the defaults
    "paper": {
        "data": "mnist",
        "channels": "64,128,128",
        "steps": 100,
        "horizon": 20 * 391,
        "learning_rate": 1e-3,
        "ema": 0.995,
        "tau": "1,4",
        "samples": 512,
        "test_samples": 5000,
        "bilevel.steps_y": 10,
        "bilevel.gamma": 10.0,
        "bayesian.trials": 15,
    },
    # for a CPU: fewer images, smaller network and batches, fewer steps
    "paper-small": {
        "data": "mnist",
        "train_images": 10000,
        "channels": "8,16,32",
        "horizon": 300,
        "batch": 64,
        "tau": "1,4",
        "prediction": "v_prediction",
        "test_samples": 5000,
        "bilevel.steps_y": 20,
        "bilevel.gamma": 10.0,
        "bilevel.iterations": 40,
        "bayesian.initial": 2,
        "bayesian.trials": 15,
    },
}
