"""The built-in tasks: name, and where it is. Nothing is imported before it is asked for."""

TABLE = {
    "reward_ft": "tasks.reward_ft:RewardFt",
    "quadratic": "tasks.quadratic:Quadratic",
    "tilted": "tasks.tilted:Tilted",
}
