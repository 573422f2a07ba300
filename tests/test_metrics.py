"""G.4: the Frechet distance in all its forms."""

import numpy as np
import pytest
import torch
from pytorch_fid.fid_score import calculate_frechet_distance

from tasks.measure import scores
from tasks.measure.frechet import Moments, frechet, frechet_passport
from tasks.measure.scores import clip_score, inception_score, nearest
from tests import reference

RNG = np.random.default_rng(0)


def cloud(n, d, scale=1.0, shift=0.0):
    return RNG.normal(size=(n, d)) @ RNG.normal(size=(d, d)) * scale / d**0.5 + shift


@pytest.mark.parametrize(("n", "d"), [(200, 8), (64, 64), (40, 64), (65, 64)])
def test_equals_the_slow_reference(n, d):
    x, y = cloud(n, d), cloud(500, d, 1.3, 0.2)
    assert frechet(x, Moments.of(y)) == pytest.approx(reference.frechet(x, y), rel=1e-6)


@pytest.mark.parametrize("n", [30, 300])
def test_equals_pytorch_fid(n):
    d = 48
    x, y = cloud(n, d), cloud(400, d, 0.8, -0.1)
    theirs = calculate_frechet_distance(
        x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False)
    )
    assert frechet(x, Moments.of(y)) == pytest.approx(theirs, rel=1e-6)


def test_both_forms_are_one_number():
    """N <= D and N > D take different paths; a sample twice over has the same Gaussian up to the
    divisor.
    """
    x, reference_moments = cloud(40, 64), Moments.of(cloud(300, 64))
    twice = np.concatenate([x, x])
    scale = np.sqrt((len(twice) - 1) / len(twice) * len(x) / (len(x) - 1))
    stretched = x.mean(0) + (twice - x.mean(0)) * scale
    assert frechet(stretched, reference_moments) == pytest.approx(
        frechet(x, reference_moments), rel=1e-7
    )


def test_equal_covariance_leaves_the_means():
    x = cloud(100, 16)
    assert frechet(x + 0.5, Moments.of(x)) == pytest.approx(16 * 0.25, rel=1e-9)
    assert frechet(x, Moments.of(x)) == pytest.approx(0.0, abs=1e-9)


def test_two_known_gaussians():
    """Diagonal: sum (mu1 - mu2)^2 + (s1 - s2)^2, on samples with exactly these moments."""
    x = cloud(50, 3)
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    s1, s2, mu = np.array([1.0, 2.0, 0.5]), np.array([3.0, 1.0, 0.5]), np.array([1.0, 0.0, -2.0])
    assert frechet(x * s1 + mu, Moments.of(x * s2)) == pytest.approx(
        np.sum(mu**2) + np.sum((s1 - s2) ** 2), rel=1e-9
    )


def test_rank_one():
    x = np.outer(RNG.normal(size=30), np.ones(10))
    y = np.outer(RNG.normal(size=60) * 2, np.ones(10))
    s1, s2 = x[:, 0].std(ddof=1), y[:, 0].std(ddof=1)
    expected = 10 * (x[:, 0].mean() - y[:, 0].mean()) ** 2 + 10 * (s1 - s2) ** 2
    assert frechet(x, Moments.of(y)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("bad", [np.zeros((1, 4)), np.zeros(4), np.full((5, 4), np.nan)])
def test_refuses_what_has_no_distance(bad):
    with pytest.raises(ValueError, match="Frechet"):
        frechet(bad, Moments.of(cloud(10, 4)))
    with pytest.raises(ValueError, match="4 features"):
        frechet(cloud(5, 3), Moments.of(cloud(10, 4)))


def test_passport_marks_small_samples():
    x = cloud(10, 16).astype(np.float32)
    passport = frechet_passport(x, Moments.of(cloud(40, 16)), "judge", "none")
    assert passport["fid_n"] == "10 (N <= D)"
    assert passport["fid_dtype"].startswith("float32")
    assert frechet_passport(cloud(20, 16), Moments.of(x), "judge", "none")["fid_n"] == "20"


def test_nearest_is_the_slow_search():
    rng = torch.Generator().manual_seed(0)
    among = torch.rand(300, 1, 5, 5, generator=rng)
    images = torch.cat([torch.rand(40, 1, 5, 5, generator=rng), among[7:9], among[11:12] + 1e-4])
    slow = [min(float((x - y).double().norm()) for y in among) for x in images]
    np.testing.assert_allclose(nearest(images, among), slow, rtol=1e-6)
    assert (nearest(among, among) == 0).all()


def test_nearest_in_parts_is_nearest_at_once(monkeypatch):
    rng = torch.Generator().manual_seed(0)
    images, among = torch.rand(50, 9, generator=rng), torch.rand(30, 9, generator=rng)
    whole = nearest(images, among)
    monkeypatch.setattr(scores, "_CELLS", 100)
    np.testing.assert_allclose(nearest(images, among), whole, rtol=1e-6)


def test_moments_are_float64_whatever_they_are_given_in():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    exact = Moments.of(x)
    given = Moments(exact.mean.astype(np.float32), exact.covariance.astype(np.float32), 50)
    assert given.mean.dtype == given.covariance.dtype == given.root.dtype == np.float64


def test_clip_score_is_the_mean_of_clipped_cosines():
    assert clip_score([0.5, -0.5, 1.0]) == pytest.approx(50.0)


def test_inception_score_has_its_bounds():
    assert inception_score(np.zeros((20, 10))) == pytest.approx(1.0)
    assert inception_score(np.eye(10) * 100) == pytest.approx(10.0, rel=1e-6)
    logits = torch.randn(50, 10, generator=torch.Generator().manual_seed(0)).numpy()
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    slow = np.exp(
        np.mean([sum(a * np.log(a / b) for a, b in zip(row, p.mean(0), strict=True)) for row in p])
    )
    assert inception_score(logits) == pytest.approx(slow, rel=1e-5)
