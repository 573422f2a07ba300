"""The built-in tasks and the data sets that can be fetched for them: name, and where it is.

Nothing is imported before it is asked for.
"""

TABLE = {
    "reward_ft": "tasks.reward_ft:RewardFt",
    "noise_schedule": "tasks.noise_schedule:NoiseSchedule",
    "quadratic": "tasks.quadratic:Quadratic",
    "tilted": "tasks.tilted:Tilted",
}

FETCH = {
    "mnist": "tasks.fetch:fetch_mnist",
}
