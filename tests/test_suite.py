"""Suite files: what they mean, and the line of whatever is wrong in one."""

import pytest

from benchmark import UsageError
from benchmark.command.parse import plan_from_text as plan
from benchmark.command.suite import read_suite
from benchmark.runs.runner import run_one
from benchmark.store.store import Store

FIVE = ("bilevel", "default", "grid", "random", "bayesian")

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
    text = GOOD.replace(
        'set = {"quadratic.rate" = 0.4}', "set.quadratic = {rate = 0.4, horizon = 7}"
    )
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
        (
            "bilevel.gamma",
            "bilvel.gamma",
            14,
            "'bilvel' is not part of this run; did you mean 'bilevel'?",
        ),
        ('budget = "300nfe"', "budget = 300", 4, "budget: expected text in quotes, got 300"),
        ('task = "quadratic"', "", 8, "expected a task, here or under [defaults]"),
        ("[defaults]", "[default]", 2, "unknown table 'default'"),
        ('method = "bilevel"', "", 11, "expected a method"),
        ("seeds", "seed", 5, "unknown key 'seed'; did you mean 'seeds'?"),
        ('["100nfe"]', "[100]", 13, "marks: expected a list of texts, got [100]"),
        ('task = "quadratic"', "task = true", 3, "task: expected text in quotes, got True"),
        ("set.bilevel.gamma", "set.gamma", 14, "set 'gamma': expected OWNER.OPTION = VALUE"),
        ("gamma = 10", "gamma = [10]", 14, "option bilevel.gamma: expected a number, got [10]"),
        ("gamma = 10", "gamma.a.b = 10", 14, "'bilevel.gamma.a' is not part of this run"),
        ('method = "bilevel"', 'method = ","', 12, "methods ',': expected one name or more"),
        (
            'method = "bilevel"',
            'method = "bilevel"\npreset = 1979-05-27',
            13,
            "preset: expected text in quotes",
        ),
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


def test_a_mark_at_the_start_of_the_file_is_passed_over(tmp_path):
    """Notepad writes one; it stands for UTF-8."""
    path = tmp_path / "suite.toml"
    path.write_text('[[runs]]\nmethod = "grid"\ntask = "quadratic"\n', encoding="utf-8-sig")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf[")
    assert [spec.method for spec in read_suite(path)] == ["grid"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_named_with_a_cure(encoding, tmp_path):
    path = tmp_path / "suite.toml"
    path.write_text('[[runs]]\nmethod = "grid"\ntask = "quadratic"\n', encoding=encoding)
    with pytest.raises(UsageError, match="UTF-16 .*; save it as UTF-8"):
        read_suite(path)


@pytest.mark.parametrize("seed", [2**32 + 1, 10**15])
def test_large_seeds_run(seed, tmp_path):
    path = tmp_path / "suite.toml"
    path.write_text(
        '[[runs]]\nmethod = "bilevel,default,grid,random,bayesian"\ntask = "quadratic"\n'
        f'budget = "60nfe"\nseeds = "{seed}"\n'
    )
    specs = read_suite(path)
    assert [spec.seed for spec in specs] == [seed] * len(FIVE)
    for spec in specs:
        assert run_one(spec, Store(tmp_path), quiet=True) in ("ok", "budget_exhausted")
        assert Store(tmp_path).find(spec).run["spec"]["seed"] == seed


@pytest.mark.parametrize("seeds", ["1000000000000001", "0-1000000000000001", "9" * 60])
def test_a_seed_beyond_what_can_be_stored_is_said(seeds, tmp_path):
    path = tmp_path / "suite.toml"
    path.write_text(f'[[runs]]\nmethod = "grid"\ntask = "quadratic"\nseeds = "{seeds}"\n')
    with pytest.raises(
        UsageError, match=r"expected seeds of at most 1000000000000000 \(10\*\*15\), got"
    ):
        read_suite(path)


SAME = "a bold red seven on a white background" + " a" * 4  # fills the model's twelve tokens


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ("", True),
        ("set.reward_ft.bank = 32\n", False),  # another configuration: their runs share no table
    ],
)
def test_prompts_that_are_one_to_the_model_are_found_across_commands(options, refused, tmp_path):
    text = (
        f"[defaults]\nmethod = 'default'\ntask = 'reward_ft'\n[[runs]]\nprompts = ['{SAME}']\n"
        f"[[runs]]\n{options}prompts = ['{SAME} on']\n"
    )
    if not refused:
        assert [s.prompt for s in suite(tmp_path, text)] == [SAME, SAME + " on"]
        return
    with pytest.raises(UsageError, match=r"line 7: .*the same tokens up to its limit of 12"):
        suite(tmp_path, text)
