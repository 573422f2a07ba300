"""The conformance suite that every method and task must pass: `bench check NAME`."""

from benchmark.check.method import check_method
from benchmark.check.still import Still
from benchmark.check.task import check_task
from benchmark.check.watched import Watched

__all__ = ["Still", "Watched", "check_method", "check_task"]
