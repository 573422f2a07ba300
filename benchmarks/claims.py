"""What the reference results let a reader say of bilevel against each search, in sentences whose figures are theirs."""

from __future__ import annotations

from pathlib import Path

from benchmark.formats import versus
from benchmark.frame import read_frame
from benchmark.stats import LEVEL
from benchmark.table import Table, tables_of


def _table(folder: Path) -> Table:
    (found,) = tables_of(read_frame(folder / "runs.csv"))
    return found


def _against(table: Table, metric: str, one: str, other: str, digits: int = 2) -> str:
    """`0.39 [0.21, 0.58], p = 0.001`: how much better one row is than another. Raises ValueError where they share no cell."""
    found = versus(table, metric, one, other)
    if found is None:
        raise ValueError(f"{one} and {other} share no seed and prompt")
    sign = 1 if metric == "clip" else -1
    low, high = sorted((sign * found.low, sign * found.high))
    p = f"p = {found.p:.2g}" if found.p >= 1e-4 else "p < 0.0001"
    return f"{sign * found.mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}], {p}"


def sentences(results: str) -> list[str]:
    """Three sentences, from the reference tables below `results`."""
    root = Path(results)
    reward, schedule = _table(root / "reward_ft"), _table(root / "noise_schedule" / "nfe")
    control = _table(root / "noise_schedule" / "control")
    guided = [
        f"{name} search ({_against(reward, 'clip', 'bilevel (importance)', f'{row} (guided)')})"
        for name, row in (("Bayesian", "bayesian"), ("random", "random"), ("grid", "grid"))
    ]
    bank = [
        f"{name} ({_against(reward, 'clip', 'bilevel (importance)', f'{row} (importance)', digits)})"
        for name, row, digits in (("Bayesian", "bayesian", 3), ("random", "random", 2), ("grid", "grid", 2))
    ]
    if any("clip" not in r.bold | r.tied for r in reward.rows if r.lower == "importance"):
        raise ValueError("the searches on the bank no longer tie: write the first sentence anew")
    mine = "bilevel (theta=none)"
    searches = [
        f"{name} search by {_against(schedule, 'fid', mine, row)}"
        for name, row in (("Bayesian", "bayesian"), ("random", "random"), ("grid", "grid"))
    ]
    trained = _against(schedule, "fid", mine, "default (fits=1000)")
    expert = _against(control, "fid", "default (tau=0.25,1)", mine)
    tie = versus(control, "fid", mine, "default (tau=0.25,1)")
    if tie is None or tie.p < LEVEL:
        raise ValueError("bilevel and the plain cosine no longer tie: write the last sentence anew")
    return [
        "`reward_ft`, 5 seeds x 3 prompts (n = 15), 60 s: with a bank of samples bilevel has a higher CLIP score than "
        f"searches that sample with guidance at each trial, {guided[0]}, {guided[1]} and {guided[2]}; but the gain is the "
        f"bank's: of the searches on the same bank {bank[0]} ties, {bank[1]} and {bank[2]} are a little behind, and no "
        "difference between the four is left after a correction for the whole column.",
        "`noise_schedule`, 5 seeds (n = 5), 480,000 evaluations: bilevel (`theta=none`) has a lower FID than "
        f"{searches[0]}, {searches[1]} and {searches[2]}, by training one network for longer: refitted for 300 steps its "
        "schedules are no better than theirs.",
        f"Against training alone (n = 5) its FID is lower by {trained} than at the default schedule; the plain cosine "
        f"schedule, which an expert would take, is ahead of it by {expert}: a tie.",
    ]
