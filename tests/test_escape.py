"""Whatever a name, an option, a note or an error holds, each output keeps its shape and a terminal
obeys nobody.
"""

import csv as reader
import html.parser
import io
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark import escape
from benchmark.command.cli import main
from benchmark.errors import UsageError, one_line
from benchmark.report.files import noted
from benchmark.report.formats import latex, markdown, text
from benchmark.report.notes import footnote
from benchmark.report.page import page
from benchmark.report.runs_csv import read_frame, write_frame
from benchmark.report.sheets import csv, differences
from benchmark.report.table import tables
from benchmark.store.schema import Unreadable
from tests.made import made

SIGNS = "|\\\n\r\t<>&\"'=+-@[]*_`~^%#${}\x00\x01\x02\x03\x1b\x9b\u202e\ud800‡†a1 "
NASTY = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=30),
    st.text(st.sampled_from(SIGNS), max_size=20),
    st.sampled_from(
        [
            "=cmd()",
            "[1cm] x",
            "*",
            "a|b",
            "a\\|b",
            "</td><script>",
            "\x1b[2J",
            "a\nb",
            "'=x",
            "$x$",
            "\\input{x}",
        ]
    ),
)
# of whole characters, as all that is stored
WHOLE = NASTY.map(lambda text: "".join(c for c in text if unicodedata.category(c) != "Cs"))
FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    (table,) = tables(
        made(
            tmp_path_factory.mktemp("a"),
            seeds=3,
            passport={"fid_name": "x", "fid_features": "x", "fid_n": "9"},
        )
    )
    return table


def named(base, label, variant, heading, note):
    """The table with other names, a line of reference, and a note."""
    rows = [replace(base.rows[0], method=label, variant=variant), *base.rows[1:]]
    runs = [replace(r, run={**r.run, "notes": [note]}) for r in base.runs]
    return replace(
        base, rows=rows, names={"fid": heading}, runs=runs, references={label: {"fid": 1.0}}
    )


class Cells(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.cells, self.notes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
        if tag == "p":
            self.notes.append("")

    def handle_data(self, data):
        if "p" in self.tags:
            self.notes[-1] += data
        elif self.cells:
            self.cells[-1] += data


def seen(text):
    """Whether it has nothing that a terminal obeys."""
    bad = {c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")} - {"\n"}
    return not bad and not re.search("[\u202a-\u202e\u2066-\u2069]", text)


@FUZZ
@given(NASTY, NASTY, NASTY, NASTY)
def test_every_output_keeps_its_shape(base, label, variant, heading, note):
    table = named(base, label, variant, heading, note)
    columns = 1 + len(table.metrics) + 3 + 2
    lines = markdown(table).split("\n")
    assert len(lines) == 2 + 3 + 1
    assert {line.count("|") for line in lines[:-1]} == {columns + 1}
    assert len(noted(table, escape.markdown(footnote(table))).split("\n")) == len(lines) + 4
    rows = latex(table).split("\n")
    assert len(rows) == 1 + 9 + 1
    body = [r for r in rows if r.endswith(r" \\")]
    assert {len(re.findall(r"(?<!\\)&", r)) for r in body} == {columns - 1}
    assert not any(r.startswith(("[", "*")) for r in body)
    parsed = Cells()
    parsed.feed(page(table, footnote(table), [], Path()))
    assert len(parsed.cells) == 4 * columns
    assert not {"script", "img", "a"} & set(parsed.tags)
    assert parsed.notes[-1].removesuffix("\n") == escape.visible(
        footnote(table)
    )  # what follows the page
    assert parsed.cells[columns] == escape.visible(table.rows[0].label)
    shown = text(table)
    assert seen(shown)
    assert seen(escape.visible(footnote(table)))
    # a title and a block of three lines; each further block has the two rows that have values
    assert len(shown.split("\n")) in range(1 + 2 + 3, 30, 1 + 2 + 2)


@FUZZ
@given(NASTY, NASTY)
def test_csv_reads_back_and_holds_no_formula(base, label, variant):
    table = named(base, label, variant, "x", "")
    for whole in (csv(table), differences(table)):
        whole.encode()
        found = list(reader.reader(io.StringIO(whole)))
        assert len({len(row) for row in found}) == 1
        assert not any(
            c[:1] in tuple("=+@\t\r") or re.match("-[^0-9]", c) for row in found for c in row
        )
    method = next(iter(reader.DictReader(io.StringIO(csv(table)))))["method"]
    assert escape.from_csv(method) == label


@FUZZ
@given(NASTY)
def test_a_csv_cell_has_an_inverse(value):
    assert escape.from_csv(escape.csv(value)) == value
    assert "\n" not in escape.csv(value)


@FUZZ
@given(WHOLE, WHOLE)
def test_runs_csv_reads_back(base, tmp_path_factory, prompt, variant):
    path = tmp_path_factory.mktemp("a") / "runs.csv"
    path.write_text(write_frame(base.frame.assign(prompt=prompt, variant=variant)))
    found = read_frame(path)
    assert set(found["prompt"]) == {prompt}
    assert set(found["variant"]) == {variant}
    assert pd.Series(found["seed"]).tolist() == base.frame["seed"].tolist()


@pytest.mark.parametrize(
    "half",
    [
        {"prompt": "red \ud800"},
        {"options": {"where": "\udc80"}},
        {"passport": {"fid_name": "\udfff"}},
        {"environment": {"processor": "\ud800"}},
    ],
    ids=str,
)
def test_no_store_takes_half_a_character(tmp_path, half):
    with pytest.raises(Unreadable, match="unicode"):
        made(tmp_path, metrics=("fid",), **half)


def test_a_runs_csv_with_half_a_character_is_refused(base, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(write_frame(base.frame.assign(prompt="red")).replace("red", r"red\ud800"))
    with pytest.raises(UsageError, match=r"expected the runs\.csv of a report; .*surrogates"):
        read_frame(path)


@FUZZ
@given(NASTY)
def test_errors_are_one_visible_line(value):
    found = one_line(value)
    assert seen(found)
    assert "\n" not in found
    found.encode()


def test_plain_names_stay_as_they_are():
    for name in (
        "grad_free (importance, steps_y=4)",
        "10.0 [7.5, 12.5]",
        "FID (digits) ↓",
        "real images",
        "a two, D = 8",
    ):
        assert (
            escape.markdown(name)
            == escape.csv(name)
            == escape.html(name)
            == escape.visible(name)
            == name
        )
    assert escape.latex("a_b & 5 %") == r"a\_b \& 5 \%"


def test_notes_and_errors_of_stored_runs_do_not_reach_the_terminal_raw(tmp_path, capsys):
    """Before: ESC ] 0 ; changed the title of the terminal."""
    made(tmp_path, notes=["\x1b]0;owned\x07 and\nmore"], ended_by="\x9b31m")
    assert main(["report", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert seen(shown)
    assert r"\x1b]0;owned\x07 and\nmore" in shown
    main(["verify", str(tmp_path)])
    assert seen(capsys.readouterr().out)
    assert "\x1b" not in (tmp_path / "report" / "table1.md").read_text()
