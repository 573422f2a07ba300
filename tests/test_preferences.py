"""PickScore, ImageReward and DINOv2: their own networks, filled from files, give their numbers."""

import json

import numpy as np
import pytest
import torch
from pytorch_fid.fid_score import calculate_frechet_distance
from safetensors.torch import save_file
from torch.nn import functional

from benchmark import FeaturePairs, ImagePairs, UsageError
from benchmark.command.cli import main
from benchmark.metrics.measure import at_hand, check_names, fetch_networks
from tasks.measure import learned
from tasks.measure.pictures import pictures, together
from tasks.reward_ft import preferences
from tasks.reward_ft.prompts import Tokens

CPU = torch.device("cpu")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "dog", "##s", "moon", ","]
LAYERS, WIDTH, HEADS, SIDE = 2, 32, 4, 24


@pytest.fixture
def images():
    return torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def blip(tmp_path, monkeypatch):
    """A small ImageReward in the published file's names; the folder and its tensors."""
    sizes = {"hidden_size": WIDTH, "intermediate_size": 48, "num_attention_heads": HEADS}
    sizes["num_hidden_layers"] = LAYERS
    monkeypatch.setattr(preferences, "TOWER", {**sizes, "patch_size": 56})
    text = {**sizes, "hidden_size": SIDE, "vocab_size": len(WORDS)}
    monkeypatch.setattr(preferences, "TEXT", text)
    monkeypatch.setattr(preferences, "HEAD", (16, 8, 4, 3, 1))
    generator = torch.Generator().manual_seed(1)
    own = {
        preferences.published(name): torch.randn(tensor.shape, generator=generator) * 0.6
        for name, tensor in preferences.Blip().state_dict().items()
    }
    # the published file has BLIP's other parts too
    torch.save({**own, "blip.temp": torch.ones(())}, tmp_path / "ImageReward.pt")
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    yield tmp_path, own
    preferences._blip.cache_clear()


def attention(x, y, heads, query, key, value):
    q, k, v = query(x), key(y), value(y)
    parts = [t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v)]
    weights = (parts[0] @ parts[1].transpose(2, 3) / parts[0].shape[-1] ** 0.5).softmax(-1)
    return (weights @ parts[2]).transpose(1, 2).flatten(2)


def by_hand(own, images, ids):
    """BLIP's image tower and text encoder as its paper draws them, in the file's names."""

    def linear(name, x):
        return functional.linear(x, own[f"{name}.weight"], own[f"{name}.bias"])

    def norm(name, x, eps):
        return functional.layer_norm(
            x, x.shape[-1:], own[f"{name}.weight"], own[f"{name}.bias"], eps
        )

    at = "blip.visual_encoder."
    patches = functional.conv2d(
        images, own[f"{at}patch_embed.proj.weight"], own[f"{at}patch_embed.proj.bias"], 56
    )
    x = patches.flatten(2).transpose(1, 2)
    x = torch.cat([own[f"{at}cls_token"].expand(len(x), -1, -1), x], 1) + own[f"{at}pos_embed"]
    for k in range(LAYERS):
        b = f"{at}blocks.{k}."
        h = linear(f"{b}attn.qkv", norm(f"{b}norm1", x, 1e-6)).chunk(3, -1)
        seen = attention(
            None, None, HEADS, lambda _, h=h: h[0], lambda _, h=h: h[1], lambda _, h=h: h[2]
        )
        x = x + linear(f"{b}attn.proj", seen)
        h = functional.gelu(linear(f"{b}mlp.fc1", norm(f"{b}norm2", x, 1e-6)))
        x = x + linear(f"{b}mlp.fc2", h)
    seen = norm(f"{at}norm", x, 1e-6)

    at = "blip.text_encoder."
    y = own[f"{at}embeddings.word_embeddings.weight"][ids]
    y = y + own[f"{at}embeddings.position_embeddings.weight"][: len(ids)]
    y = norm(f"{at}embeddings.LayerNorm", y, 1e-12).expand(len(images), -1, -1)
    for k in range(LAYERS):
        for part, other in (("attention", None), ("crossattention", seen)):
            b = f"{at}encoder.layer.{k}.{part}."
            names = [f"{b}self.{n}" for n in ("query", "key", "value")]
            ask = [lambda t, n=n: linear(n, t) for n in names]
            found = attention(y, y if other is None else other, HEADS, *ask)
            y = norm(f"{b}output.LayerNorm", linear(f"{b}output.dense", found) + y, 1e-12)
        b = f"{at}encoder.layer.{k}."
        h = functional.gelu(linear(f"{b}intermediate.dense", y))
        y = norm(f"{b}output.LayerNorm", linear(f"{b}output.dense", h) + y, 1e-12)
    z = y[:, 0]
    for k in (0, 2, 4, 6, 7):
        z = linear(f"mlp.layers.{k}", z)
    return (z[:, 0] - 0.16717362830052426) / 1.0333394966054072


def test_image_reward_is_blip_by_hand(blip, images):
    folder, own = blip
    reward = preferences.ImageReward(
        preferences.ImageReward.files(str(folder)), "A red dogs, moon", CPU
    )
    ids = torch.tensor(
        [WORDS.index(w) for w in ["[CLS]", "a", "red", "dog", "##s", ",", "moon", "[SEP]"]]
    )
    expected = by_hand(own, preferences.seen(images), ids)
    assert reward(images) == pytest.approx(expected, rel=1e-4)
    assert expected.std() > 1e-3


def test_image_reward_reads_35_tokens_and_keeps_the_end(blip, images):
    files = preferences.ImageReward.files(str(blip[0]))
    long, longer = ("red dog " * n for n in (17, 30))
    values = [preferences.ImageReward(files, text, CPU)(images) for text in (long, longer)]
    words = preferences.words_of(files)
    assert torch.equal(*values[:2]) is (len(words.encode(long)) >= preferences.BLIP_TOKENS)
    tokens = Tokens("image_reward", words.encode, words.decode, preferences.BLIP_TOKENS)
    assert tokens.cut(longer).split()[:2] == ["dog", "red"]
    assert not tokens.cut("red dog")


@pytest.fixture
def pick(tmp_path):
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    text = CLIPTextConfig(**sizes, num_attention_heads=2, eos_token_id=49407, bos_token_id=49406)
    seen = CLIPVisionConfig(**sizes, num_attention_heads=2, patch_size=56)
    parts = {"text_config": text.to_dict(), "vision_config": seen.to_dict()}
    torch.manual_seed(3)
    network = CLIPModel(CLIPConfig(**parts, projection_dim=12)).eval()
    network.save_pretrained(tmp_path)
    yield tmp_path, network
    preferences._pick.cache_clear()


def test_pick_score_is_the_scaled_cosine_of_its_clip(pick, images):
    import open_clip

    folder, network = pick
    reward = preferences.PickScore(preferences.PickScore.files(str(folder)), "a red dog", CPU)
    tokens = open_clip.get_tokenizer("ViT-H-14")(["a red dog"])
    ended = int((tokens[0] == 49407).nonzero()[0]) + 1
    with torch.no_grad():
        expected = network(tokens[:, :ended], preferences.seen(images)).logits_per_image[:, 0]
    assert reward(images) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("side", [(64, 64), (300, 260), (224, 400)])
def test_images_are_seen_as_torchvision_shows_them(side, images):
    from torchvision.transforms.v2 import CenterCrop, Compose, InterpolationMode, Normalize, Resize

    x = torch.rand(1, 3, *side, generator=torch.Generator().manual_seed(2))
    mean, std = preferences._MEAN, preferences._STD
    expected = Compose(
        [
            Resize(224, InterpolationMode.BICUBIC, antialias=True),
            CenterCrop(224),
            lambda v: v.clamp(0, 1),
            Normalize(mean, std),
        ]
    )(x)
    assert preferences.seen(x) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["blip", "pick"])
def test_image_i_decides_reward_i_and_has_a_gradient(kind, images, request):
    folder = request.getfixturevalue(kind)[0]
    own = preferences.ImageReward if kind == "blip" else preferences.PickScore
    reward = own(own.files(str(folder)), "a red dog", CPU)
    x = images.clone().requires_grad_()
    (slope,) = torch.autograd.grad(reward(x)[1], x)
    assert slope[1].abs().max() > 0
    assert not slope[[0, 2]].any()


@pytest.fixture
def dino(tmp_path, monkeypatch):
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(4)
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
    network = Dinov2Model(Dinov2Config(**sizes, image_size=224, patch_size=56)).eval()
    network.save_pretrained(tmp_path / "fd_dinov2")
    monkeypatch.setenv(learned.VARIABLE, str(tmp_path))
    yield tmp_path, network
    learned._dino.cache_clear()


def paired(made, real, prompts=()):
    own = pictures(made, lambda: torch.split(real, 20), "", prompts)
    return FeaturePairs({}, {}, {}, own)


def test_fd_dinov2_is_pytorch_fids_distance_of_the_class_tokens(dino):
    generator = torch.Generator().manual_seed(5)
    made = torch.rand(40, 3, 32, 32, generator=generator)
    real = 0.3 + 0.5 * torch.rand(50, 3, 32, 32, generator=generator)

    def moments(x):
        x = functional.interpolate(x, (224, 224), mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (torch.tensor(v)[:, None, None] for v in (learned._MEAN, learned._STD))
        with torch.no_grad():
            found = dino[1]((x - mean) / std).last_hidden_state[:, 0].double().numpy()
        return found.mean(0), np.cov(found, rowvar=False)

    value, how = learned.fd_dinov2(paired(made, real))
    assert value == pytest.approx(
        calculate_frechet_distance(*moments(made), *moments(real)), rel=1e-4
    )
    assert how.startswith("40 images against 50, DINOv2 ")
    assert how.endswith("D = 12")


def test_a_preference_is_the_mean_over_images_of_their_prompts(blip, monkeypatch, tmp_path):
    folder, _ = blip
    monkeypatch.setenv(learned.VARIABLE, str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "image_reward").symlink_to(folder, target_is_directory=True)
    made = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(6))
    prompts = ["a dog", "red moon", "a dog"]
    files = preferences.ImageReward.files(str(folder))
    expected = [
        float(preferences.ImageReward(files, text, CPU)(made[[k]])[0])
        for k, text in enumerate(prompts)
    ]
    value, how = learned.image_reward(paired(made, made, prompts))
    assert value == pytest.approx(np.mean(expected), rel=1e-4)
    assert how.startswith("3 images, files ")
    with pytest.raises(ValueError, match="images of prompts"):
        learned.image_reward(paired(made, made))
    with pytest.raises(ValueError, match="shows its images"):
        learned.image_reward(FeaturePairs({}, {}, {}))


def test_what_is_missing_is_named_before_any_image_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv(learned.VARIABLE, raising=False)
    for metric in (learned.fd_dinov2, learned.hpsv2, learned.pick_score, learned.image_reward):
        with pytest.raises(
            UsageError, match=r"is missing; get it with `bench fetch --metrics \w+`"
        ):
            metric.files()
    (tmp_path / "pick_score").mkdir()
    monkeypatch.setenv(learned.VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match=r"expected config.json in the folder, got .*pick_score"):
        learned.pick_score.files()


@pytest.mark.parametrize(
    ("kind", "file", "message"),
    [
        ("pick", "config.json", "PickScore: .* cannot be loaded as a CLIPModel"),
        ("pick", "model.safetensors", "PickScore: .* cannot be loaded as a CLIPModel"),
        ("blip", "ImageReward.pt", r"ImageReward: .* cannot be read as tensors"),
        ("dino", "config.json", "DINOv2: .* cannot be loaded as a Dinov2Model"),
    ],
)
def test_a_damaged_file_is_one_line(kind, file, message, request, images):
    folder = request.getfixturevalue(kind)[0]
    folder = folder / "fd_dinov2" if kind == "dino" else folder
    (folder / file).write_text("{")

    def begin():
        if kind == "dino":
            return learned.fd_dinov2(paired(images, images))
        own = preferences.PickScore if kind == "pick" else preferences.ImageReward
        return own(own.files(str(folder)), "a dog", CPU)

    with pytest.raises(UsageError, match=message):
        begin()


def test_metrics_with_a_network_are_asked_for_by_name(capsys):
    own = {"fd_dinov2", "hpsv2", "pick_score", "image_reward"}
    assert check_names(sorted(own)) == tuple(sorted(own))
    assert not own & set(at_hand())
    assert {"kid", "cmmd"} <= set(at_hand())
    with pytest.raises(UsageError, match="'kid' needs no network"):
        fetch_networks(["kid"], True, "")
    assert main(["fetch", "--metrics", "fd_dinov2", "--preset", "paper"]) == 2
    assert "expected at most --dry-run" in capsys.readouterr().err


def test_images_of_several_prompts_are_one(images):
    one = pictures(images[:1, :1], lambda: [images], "a", ["x"])
    both = together([one, pictures(images[1:], lambda: [images, images], "b", ["y", "z"])])
    assert both.made.shape == (3, 224, 224, 3)
    assert both.prompts == ("x", "y", "z")
    assert [len(part) for part in both.real()] == [3, 3, 3]
    assert json.dumps(both.key)
    assert np.array_equal(both.made[0, ..., 0], both.made[0, ..., 2])
    assert together([one, ImagePairs(one.made, one.real, "")]).key == ""


def test_a_safetensors_file_will_do(blip, images):
    folder, own = blip
    (folder / "ImageReward.pt").unlink()
    save_file({k: v.contiguous() for k, v in own.items()}, folder / "ImageReward.safetensors")
    preferences.ImageReward(preferences.ImageReward.files(str(folder)), "a", CPU)
    save_file({"blip.temp": torch.ones(1)}, folder / "ImageReward.safetensors")
    with pytest.raises(UsageError, match=r"has no tensor blip\.visual_encoder\.cls_token"):
        preferences.ImageReward(preferences.ImageReward.files(str(folder)), "a", CPU)
