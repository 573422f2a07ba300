"""Suite files: what they mean, and the line of whatever is wrong in one."""

import pytest

from benchmark import UsageError
from benchmark.plan import plan
from benchmark.suite import read_suite

GOOD = """# two runs
[defaults]
task = "quadratic"
budget = "300nfe"
seeds = "0-1"
set = {"quadratic.rate" = 0.4}

[[runs]]
method = "grid,random"

[[runs]]
method = "bilevel"
marks = ["100nfe"]
set.bilevel.gamma = 10
set.bilevel.iterations = 3
"""


def suite(tmp_path, text):
    path = tmp_path / "suite.toml"
    path.write_text(text)
    return read_suite(path)


def test_a_suite_is_its_commands(tmp_path):
    common = {"budget": "300nfe", "seeds": "0-1"}
    expected = plan("grid,random", "quadratic", settings=["quadratic.rate=0.4"], **common)
    options = ["quadratic.rate=0.4", "bilevel.gamma=10", "bilevel.iterations=3"]
    expected += plan("bilevel", "quadratic", settings=options, marks=["100nfe"], **common)
    assert [s.run_id for s in suite(tmp_path, GOOD)] == [s.run_id for s in expected]


def test_a_run_that_is_asked_for_twice_is_one(tmp_path):
    assert len(suite(tmp_path, GOOD + '[[runs]]\nmethod = "random"\n')) == 6


def test_settings_of_the_defaults_hold_until_a_run_has_its_own(tmp_path):
    text = GOOD.replace('set = {"quadratic.rate" = 0.4}', "set.quadratic = {rate = 0.4, horizon = 7}")
    first, *_, last = suite(tmp_path, text + "set.quadratic.rate = 0.2\n")
    assert first.task_options == {"rate": 0.4, "horizon": 7}
    assert last.task_options == {"rate": 0.2, "horizon": 7}


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('"grid,random"', '"gird"', 9, "unknown method 'gird'; did you mean 'grid'?"),
        ("marks", "mark", 13, "unknown key 'mark'; did you mean 'marks'?"),
        ('["100nfe"]', "100", 13, "marks: expected a list of texts, got 100"),
        ('["100nfe"]', '["400nfe"]', 13, "expected amounts of at most the budget"),
        ("gamma = 10", "gamma = -1", 14, "option bilevel.gamma: expected a value in"),
        ("bilevel.gamma", "bilvel.gamma", 14, "'bilvel' is not part of this run; did you mean 'bilevel'?"),
        ('budget = "300nfe"', "budget = 300", 4, "budget: expected text in quotes, got 300"),
        ('task = "quadratic"', "", 8, "expected a task, here or under [defaults]"),
        ("[defaults]", "[default]", 2, "unknown table 'default'"),
        ('method = "bilevel"', "", 11, "expected a method"),
        ("seeds", "seed", 5, "unknown key 'seed'; did you mean 'seeds'?"),
    ],
)
def test_errors_name_the_line(old, new, line, message, tmp_path):
    with pytest.raises(UsageError) as caught:
        suite(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(caught.value)
    assert f"suite.toml, line {line}: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one table [[runs]] or more"),
        ("runs = 3", "expected one table [[runs]] or more"),
        ("defaults = 3\n[[runs]]\n", "defaults: expected a table"),
        ("[[runs]\n", "at line 1"),
        ("a = [" * 5000, "expected a suite file (TOML)"),
        ("[[runs]]\n" * 2 + "method = 'grid'\ntask = 'quadratic'\n", "line 1: expected a method"),
    ],
)
def test_what_is_no_suite_is_said(text, message, tmp_path):
    with pytest.raises(UsageError) as caught:
        suite(tmp_path, text)
    assert message in str(caught.value)


def test_files_that_cannot_be_read_are_said(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_suite(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="Is a directory"):
        read_suite(tmp_path)
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match="expected a suite file"):
        read_suite(tmp_path / "binary.toml")
    (tmp_path / "large.toml").write_text("# " + "x" * 2**20)
    with pytest.raises(UsageError, match="larger than"):
        read_suite(tmp_path / "large.toml")
