"""What text encoders do not see of a prompt is a note of the run; prompts that are one to them are
refused while planning.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark import UsageError
from benchmark.command.parse import plan_from_text as plan
from tasks.reward_ft import prompts, shipped
from tasks.reward_ft.digits import WORDS
from tasks.reward_ft.pipeline import load
from tests.test_cli import bench
from tests.test_networks import begin
from tests.test_paper import options
from tests.test_paper_wrong import altered, edited
from tests.tiny import PROMPT, RUN, words

LONG = "a red seven on a white background " * 20


def planned(tiny, asked, *own):
    settings = [f"reward_ft.{s}" for s in [*tiny.settings, *own]]
    return plan("default", "reward_ft", preset="paper", prompts=asked, settings=settings)


def of(tiny, **changes):
    return list(prompts.tokenizers(options(tiny, **changes)))


def test_tokens_are_what_the_libraries_encode(tiny):
    model, clip = of(tiny)
    pipe = load(tiny.model, "cpu")._pipe
    import open_clip

    tokenize = open_clip.get_tokenizer(f"local-dir:{tiny.clip}")
    for prompt in (PROMPT, "a red seven", LONG, "unknown words " * 60):
        padded = pipe.tokenizer(
            prompt, padding="max_length", max_length=77, truncation=True
        ).input_ids
        seen = model.seen(prompt)
        assert padded[: len(seen)] == seen
        assert set(padded[len(seen) :]) <= {pipe.tokenizer.pad_token_id}
        (row,) = tokenize([prompt]).tolist()
        seen = clip.seen(prompt)
        assert row[: len(seen)] == seen
        assert set(row[len(seen) :]) <= {0}


def test_the_words_that_are_cut_are_those_beyond_75(tiny):
    model, clip = of(tiny)
    prompt = " ".join(["red"] * 75 + ["blue", "seven"])
    assert (model.cut(prompt), clip.cut(prompt)) == ("blue seven", "blue seven")
    assert model.cut(" ".join(["red"] * 75)) == ""
    assert len(model.seen(prompt)) == 77


def test_a_note_names_them_for_every_text_encoder(tiny, caplog):
    prompt = " ".join(["red"] * 75 + ["blue", "seven"])
    begin(tiny, [], PROMPT)
    assert not caplog.records
    begin(tiny, ["reward=hpsv2", f"reward_weights={tiny.clip}"], prompt)
    said = [r.getMessage() for r in caplog.records if r.name == "benchmark"]
    assert [s.partition(" reads ")[0] for s in said] == [
        "the model's text encoder",
        "CLIP (r1)",
        "hpsv2 (r2)",
    ]
    assert all(
        s.endswith("reads 77 tokens of the prompt; it does not see: blue seven") for s in said
    )


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (
            LONG + "blue",
            LONG + "green",
            "with the same tokens up to its limit of 77 for the model's text encoder; leave one "
            "out",
        ),
        (
            "a red seven",
            "A  Red seven",
            "got 'a red seven' and 'A  Red seven' with the same tokens for the model's",
        ),
    ],
)
def test_two_prompts_with_the_same_tokens_are_refused_while_planning(one, other, message, tiny):
    with pytest.raises(UsageError) as e:
        planned(tiny, [PROMPT, one, other])
    assert message in str(e.value)
    assert "\n" not in str(e.value)


def test_prompts_that_differ_in_time_are_two_runs_and_one_twice_is_one(tiny):
    assert len(planned(tiny, ["blue " + LONG, "green " + LONG, "blue " + LONG])) == 2
    planned(tiny, ["a red seven"])
    planned(tiny, ["A red seven"])  # of another plan


def test_two_prompts_that_are_one_to_clip_alone(tiny, tmp_path):
    folder = altered(tiny, tmp_path, edited("tokenizer/tokenizer_config.json", model_max_length=77))
    shutil.copytree(tiny.clip, tmp_path / "clip")
    config = tmp_path / "clip" / "open_clip_config.json"
    about = json.loads(config.read_text())
    about["model_cfg"]["text_cfg"]["context_length"] = 6
    config.write_text(json.dumps(about))
    with pytest.raises(UsageError, match=r"up to its limit of 6 for CLIP \(r1\)"):
        planned(
            tiny,
            ["a red seven on white", "a red seven on gray"],
            f"model={folder}",
            f"clip={tmp_path / 'clip'}",
        )


def test_the_embedded_model_too():
    fill = "a bold red seven on a white background" + " a" * 4
    with pytest.raises(UsageError, match="same tokens up to its limit of 12"):
        plan("default", "reward_ft", prompts=[fill, fill + " on"])


def test_a_plan_reads_the_shipped_tokenizer_as_transformers_does():
    folder, rng = shipped.ASSETS / "model", np.random.default_rng(0)
    mine, theirs = prompts._shipped(folder, ""), prompts._model(folder, "")
    assert mine.limit == theirs.limit == 12
    for _ in range(200):
        some = rng.choice([*WORDS, "Bold", "SEVEN", "cat,", "é!", "1800"], rng.integers(0, 20))
        text = str(rng.choice([" ", "  ", "\t"])).join(some)
        assert mine.encode(text) == theirs.encode(text)
        assert mine.seen(text) == theirs.seen(text)
        assert mine.cut(text) == theirs.cut(text)


def test_the_note_is_stored_with_the_run(tiny, tmp_path):
    done = bench(
        *RUN,
        "--budget",
        "60nfe",
        "--out",
        "runs",
        "--prompt",
        LONG,
        *words(tiny.settings),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (run,) = Path(tmp_path).rglob("run.json")
    assert any("it does not see: " in note for note in json.loads(run.read_text())["notes"])


def test_what_the_libraries_would_have_warned_of_is_a_note(tiny, tmp_path, caplog):
    folder = altered(tiny, tmp_path, edited("scheduler/scheduler_config.json", steps_offset=0))
    edited("unet/config.json", _diffusers_version="0.6.0")(folder)
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    save_file(
        load_file(weights) | {"decoder.more.weight": torch.zeros(3)}, weights, {"format": "pt"}
    )
    begin(tiny, [f"model={folder}"])
    said = [r.getMessage() for r in caplog.records if r.name == "benchmark"]
    assert said == [
        "the scheduler's steps_offset is 0 in its file, and taken as 1 as by diffusers' pipeline",
        "the U-Net's sample_size is 16 in its file, and taken as 64 as by diffusers' pipeline",
        "vae: 1 tensors of its file belong to no part of the network",
    ]
