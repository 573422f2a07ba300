"""The parts of the paper's preset beside the libraries whose numbers they must give."""

import numpy as np
import pytest
import torch
from PIL import Image

from tasks.reward_ft import clips, inception_features, paper_rewards
from tasks.reward_ft.pipeline import load
from tasks.reward_ft.pull import Linear
from tasks.reward_ft.scorers import ClipCosine
from tasks.reward_ft.steps import Schedule
from tests.tiny import PROMPT, pictures, sampler_of


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_is_that_of_diffusers_scheduler(tiny, eta):
    """With the noise of each step given to both; the model's scheduler, not one of ours."""
    model = load(tiny.model, "cpu")
    schedule = Schedule.of(model.scheduler, 7, eta)
    rng = torch.Generator().manual_seed(0)
    for k, t in enumerate(schedule.t):
        z, eps, noise = (torch.randn(2, 4, 8, 8, generator=rng) for _ in range(3))
        theirs = model.scheduler.step(eps, t, z, eta=eta, variance_noise=noise)
        torch.testing.assert_close(
            schedule.step(k, z, eps, noise)[0], theirs.prev_sample, rtol=1e-5, atol=1e-5
        )
        torch.testing.assert_close(
            schedule.predicted(k, z, eps).x0, theirs.pred_original_sample, rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("mode", ["tilt", "lookahead"])
def test_the_same_seed_gives_the_same_image_at_batch_sizes_1_2_and_5(tiny, mode):
    seeds = tuple(range(5))
    found = {}
    for batch in (1, 2, 5):
        sampler = sampler_of(tiny.model, batch, mode)
        before = sampler(seeds)
        reward = Linear.over(
            lambda x: 50 * x.mean((1, 2, 3)), before.images, batch, torch.device("cpu")
        )
        found[batch] = before.images, sampler(seeds, reward, 0.05).images
    assert (found[1][0] - found[1][1]).abs().max() > 1e-2
    for batch in (2, 5):
        for mine, alone in zip(found[batch], found[1], strict=True):
            torch.testing.assert_close(mine, alone, rtol=0, atol=1e-4)


def test_clip_agrees_with_open_clip_and_pil(tiny):
    """open_clip's own transform on pictures, and ours, which is differentiable, on the same pixels
    as tensors.
    """
    import open_clip

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tiny.clip}")
    model.eval()
    mine, tokenize = clips.load(str(tiny.clip), "reward_ft.clip")
    ours = ClipCosine(mine, tokenize, torch.device("cpu"))
    seen = pictures(6, 96)
    tensors = (torch.from_numpy(seen).permute(0, 3, 1, 2) / 255).requires_grad_()
    scores = ours.of(PROMPT)(tensors)
    with torch.no_grad():
        text = model.encode_text(
            open_clip.get_tokenizer(f"local-dir:{tiny.clip}")([PROMPT]), normalize=True
        )[0]
        images = torch.stack([transform(Image.fromarray(p)) for p in seen])
        theirs = model.encode_image(images, normalize=True) @ text
        exact = model.encode_image(ours.prepare(tensors.detach()), normalize=True) @ text
    assert theirs.std() > 1e-3
    torch.testing.assert_close(scores.detach(), theirs, rtol=0, atol=1e-3)
    torch.testing.assert_close(scores.detach(), exact, rtol=0, atol=1e-6)
    (slope,) = torch.autograd.grad(scores.sum(), tensors)
    assert slope.flatten(1).norm(dim=1).min() > 0


def test_inception_features_are_those_of_pytorch_fid(tiny, tmp_path, monkeypatch):
    """Files of pictures through pytorch-fid's own get_activations, with the same weights in its own
    network.
    """
    from pytorch_fid import fid_score
    from pytorch_fid import inception as theirs

    seen = pictures(5, 64)
    paths = []
    for k, p in enumerate(seen):
        paths.append(tmp_path / f"{k}.png")
        Image.fromarray(p).save(paths[-1])
    state = torch.load(tiny.inception, weights_only=True)
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: state)
    network = theirs.InceptionV3([theirs.InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
    expected = fid_score.get_activations(
        [str(p) for p in paths], network, batch_size=5, dims=2048, num_workers=0
    )
    extractor = inception_features.InceptionFeatures(tiny.inception, "cpu")
    mine = extractor(torch.from_numpy(seen).permute(0, 3, 1, 2) / 255)
    assert expected.std() > 1e-2
    np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-5)
    from_folder = inception_features.moments(str(tmp_path), extractor)
    np.testing.assert_allclose(from_folder.mean, expected.mean(0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", [64, 300, 512])
def test_resnet_preprocessing_is_torchvisions(tiny, side):
    from torchvision.models import ResNet18_Weights

    head = paper_rewards.ResNetHead({"resnet18": tiny.resnet}, PROMPT, torch.device("cpu"))
    seen = pictures(3, side)
    transform = ResNet18_Weights.IMAGENET1K_V1.transforms(antialias=True)
    tensors = torch.from_numpy(seen).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(head.prepare(tensors), transform(tensors), rtol=0, atol=1e-5)
    by_pil = torch.stack([transform(Image.fromarray(p)) for p in seen])
    assert (head.prepare(tensors) - by_pil).abs().max() < 0.05  # pictures of 8 bits between resizes
    assert head(tensors).shape == (3,)
    assert (head(tensors) - head(tensors.flip(0)).flip(0)).abs().max() < 1e-5


def test_aesthetic_and_hpsv2_and_a_plug_in(tiny):
    images = torch.from_numpy(pictures(3, 64)).permute(0, 3, 1, 2) / 255
    device = torch.device("cpu")
    aesthetic = paper_rewards.Aesthetic(
        paper_rewards.Aesthetic.files(str(tiny.aesthetic)), PROMPT, device
    )
    embeddings = aesthetic._clip.embed(images)
    torch.testing.assert_close(aesthetic(images), 0.5 * embeddings.sum(1) + 5)
    hps = paper_rewards.HPSv2(paper_rewards.HPSv2.files(str(tiny.clip)), PROMPT, device)
    mine, tokenize = clips.load(str(tiny.clip), "reward_ft.clip")
    torch.testing.assert_close(
        hps(images), 100 * ClipCosine(mine, tokenize, device).of(PROMPT)(images)
    )
    for reward in (aesthetic, hps):
        x = images.clone().requires_grad_()
        (slope,) = torch.autograd.grad(reward(x).sum(), x)
        assert slope.abs().sum() > 0


def test_options_that_change_nothing_but_rounding(tiny):
    plain = sampler_of(tiny.model)((1, 2))
    reward = Linear.at(lambda x: 50 * x.mean((1, 2, 3)), plain.images)
    guided = sampler_of(tiny.model)((1, 2), reward, 0.05).images
    for changes in ({"checkpointing": True}, {"channels_last": True}):
        torch.testing.assert_close(
            sampler_of(tiny.model, **changes)((1, 2)).images, plain.images, rtol=0, atol=1e-4
        )
        torch.testing.assert_close(
            sampler_of(tiny.model, **changes)((1, 2), reward, 0.05).images,
            guided,
            rtol=0,
            atol=1e-4,
        )
    low = sampler_of(tiny.model, dtype="bf16")
    assert low.model._unet.dtype == torch.bfloat16
    assert low.model._vae.dtype == torch.float32
    assert low((1, 2)).images.dtype == torch.float32
    assert 0 < (low((1, 2)).images - plain.images).abs().max() < 0.5


def test_numbers_that_are_not_finite_are_named_with_their_step(tiny, monkeypatch):
    sampler = sampler_of(tiny.model)
    eps = sampler.model.eps

    def broken(z, t, abar, text, cfg):
        found = eps(z, t, abar, text, cfg)
        return found * torch.nan if t == sampler.schedule.t[1] else found

    monkeypatch.setattr(sampler.model, "eps", broken)
    with pytest.raises(
        ValueError,
        match=r"not finite from step 2 of 3 \(t = \d+\); the run is in fp32, so its weights",
    ):
        sampler((0,))
