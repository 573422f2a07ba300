"""Runs of one method with other options are other rows, whether or not the option is stored."""

from benchmark.command.parse import plan_from_text as plan
from benchmark.report.table import tables
from benchmark.report.variants import variants
from benchmark.runs.runner import run_one
from benchmark.store.store import Store, Stored


def stored(task_options=None, **method_options):
    spec = {
        "method": "bilevel",
        "task": "reward_ft",
        "lower": "",
        "method_options": method_options,
        "task_options": task_options or {},
        "fingerprint": {},
    }
    return Stored(None, {"spec": spec, "started": ""})


def test_an_option_that_came_later_makes_a_row(tmp_path):
    """At its default it is not stored, so that earlier runs keep their names."""
    store = Store(tmp_path)
    for settings in ([], ["bilevel.schedule=budget"]):
        for spec in plan("bilevel", "tilted", budget="100nfe", seeds="0-2", settings=settings):
            run_one(spec, store, quiet=True)
    (table,) = tables(list(store))
    assert [(r.variant, len(r.stored)) for r in table.rows] == [("", 3), ("schedule=budget", 3)]
    assert sorted(table.frame["variant"]) == [""] * 3 + ["schedule=budget"] * 3
    assert len(table.frame) == 6


def test_to_lack_an_option_is_a_value():
    runs = [stored(gamma=1), stored(gamma=1, schedule=2), stored(gamma=1, schedule=3)]
    assert variants(runs, across=False)[0] == ["", "schedule=2", "schedule=3"]
    assert variants([stored(gamma=1, schedule=2)] * 2, across=False)[0] == ["", ""]


def test_in_an_ablation_what_most_lack_is_named_where_it_is_there():
    runs = [stored({"c": 1}), stored({"c": 1}), stored({"c": 1, "lam_batch": 2})]
    assert variants(runs, across=True) == (["", "", "lam_batch=2"], "")


def test_in_an_ablation_what_most_have_is_named_where_it_lacks():
    runs = [stored({"c": 1, "lam_batch": 2}), stored({"c": 1, "lam_batch": 2}), stored({"c": 1})]
    assert variants(runs, across=True) == (["", "", "lam_batch=default"], "lam_batch=2")


def test_what_nobody_declares_makes_no_row():
    """A copy of a run could be given any option."""
    assert variants([stored(gamma=1), stored(gamma=1, other=2)], across=False)[0] == ["", ""]
