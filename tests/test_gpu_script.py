"""The script of all that is to be measured on a card, on a CPU and tiny files: each part works."""

import json

from speed.gpu import Report, Scale, everything

SMALL = {"channels": "8,16", "horizon": 3, "batch": 16, "steps": 3, "samples": 40}
SMALL |= {"grad_samples": 40, "test_samples": 40}


def test_every_part_gives_its_figures(tiny, tmp_path):
    files = dict(s.split("=", 1) for s in tiny.settings)
    own = {k: int(v) if v.isdecimal() else v for k, v in files.items()}
    scale = Scale((1, 2), 1, 64, ("", "eager"), "300nfe", "embedded", "700nfe", SMALL, own)
    everything(own, "cpu", scale, Report(tmp_path, 25))
    found = [json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text().splitlines()]
    assert not [line for line in found if "failed" in line or "skipped" in line]
    plain = ["plain guided step", "plain unguided step"]
    for part in ("guided step", "unguided step", "decode", *plain):
        lines = [line for line in found if line["part"] == part]
        assert {(line["form"], line["batch"]) for line in lines} == {
            (form, n) for form in ("fp32", "bf16") for n in (1, 2)
        }
        assert all(line["ms_an_image"] > 0 for line in lines)
        if part not in plain:
            assert all(line["share_of_matrix_product"] > 0 for line in lines)
    gaps = {x["form"]: x["relative"] for x in found if x["part"] == "guided noise against the CPU"}
    assert gaps["fp32"] == 0
    assert 0 < gaps["bf16"] < 0.5
    compiled = [x for x in found if x["part"] == "unguided step compiled"]
    assert [x["mode"] for x in compiled] == ["no", "eager"]
    assert [x["method"] for x in found if x["part"] == "paper preset"] == ["bilevel", "random"]
    assert len([x for x in found if x["part"] == "schedule" and x["fid"] > 0]) == 6


def test_a_part_that_fails_or_has_no_time_costs_no_other(tmp_path):
    report = Report(tmp_path, 25)
    report.part("one", lambda: 1 / 0)
    report.part("two", lambda: None)
    report.minutes = 1
    report.part("three", lambda: None, 61.0)
    one, two, three = [
        json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text().splitlines()
    ]
    assert "ZeroDivisionError" in one["failed"]
    assert two["seconds"] >= 0
    assert three["skipped"] == "no time is left"
