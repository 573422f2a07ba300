"""`bench fetch`: a data set, or the networks of a preset or of metrics."""

from __future__ import annotations

import argparse

from benchmark.command.data import fetch, fetch_preset
from benchmark.command.parse import parse_names, parse_settings
from benchmark.errors import UsageError
from benchmark.metrics.measure import fetch_networks


def command(args: argparse.Namespace) -> int:
    """Raises UsageError."""
    if args.metrics:
        _metrics(args)
    elif args.preset is None:
        _data_set(args)
    else:
        _preset(args)
    return 0


def _data_set(args: argparse.Namespace) -> None:
    if args.name is None:
        raise UsageError(
            "fetch: expected a data set's name (`bench list`), --preset or --metrics; see "
            "`bench fetch --help`"
        )
    if args.task or args.settings or args.model or args.dry_run:
        raise UsageError(
            "fetch: --task, --model, --set and --dry-run belong to --preset, not to a data set"
        )
    fetch(args.name, args.data_dir, args.url)


def _metrics(args: argparse.Namespace) -> None:
    if args.name or args.preset or args.task or args.settings or args.model or len(args.url) > 1:
        raise UsageError(
            "fetch --metrics: expected at most --dry-run and one --url beside it, no data set and "
            "no --preset"
        )
    fetch_networks(parse_names(args.metrics), args.dry_run, "".join(args.url))


def _preset(args: argparse.Namespace) -> None:
    if args.name is not None or args.data_dir is not None or len(args.url) > 1:
        raise UsageError(
            f"fetch --preset {args.preset}: expected no data set, no --data-dir and at most one "
            "--url beside it"
        )
    short = {"model": args.model} if args.model else {}
    options = parse_settings(args.settings)
    base = "".join(args.url)
    fetch_preset(args.preset, args.task, short, options, dry_run=args.dry_run, base=base)
