"""Metrics that are computed of stored answers, after the runs."""
