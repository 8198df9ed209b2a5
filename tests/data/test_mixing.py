"""Mixup and cutmix: shares that add up, pictures and votes alike, the same in every process."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.mixing import cutmix, mix, mixup, partners

VOTES = torch.eye(6)


@pytest.fixture
def faces() -> torch.Tensor:
    """Six flat pictures of 10x8 pixels; picture i is i all over."""
    return torch.arange(6.0).view(6, 1, 1, 1).expand(6, 1, 10, 8).contiguous()


def test_the_partner_is_half_a_batch_further_on():
    assert partners(torch.arange(6)).tolist() == [3, 4, 5, 0, 1, 2]
    assert partners(torch.arange(5)).tolist() == [2, 3, 4, 0, 1]


@pytest.mark.parametrize("world_size", [2, 3])
def test_each_process_finds_the_partners_of_the_whole_batch(world_size):
    whole = partners(torch.arange(12))
    for rank in range(world_size):
        assert torch.equal(partners(torch.arange(12)[rank::world_size]), whole[rank::world_size])


def test_mixup_mixes_pictures_and_votes_in_one_share(faces):
    before = faces.clone()
    x, votes = mixup(faces, VOTES, np.random.default_rng(1), alpha=1.0)
    share = np.random.default_rng(1).beta(1.0, 1.0)
    assert x[0, 0, 0, 0].item() == pytest.approx(3 * (1 - share), rel=1e-6)
    assert votes[0].tolist() == pytest.approx([share, 0, 0, 1 - share, 0, 0], rel=1e-6)
    assert torch.equal(faces, before)


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_counts_the_pixels_that_it_pasted(faces, seed):
    before = faces.clone()
    x, votes = cutmix(faces, VOTES, np.random.default_rng(seed), alpha=1.0)
    for i in range(6):
        own, pasted = (x[i] == i).sum().item(), (x[i] == (i + 3) % 6).sum().item()
        assert own + pasted == 80
        assert votes[i, i].item() == pytest.approx(own / 80)
        assert votes[i, (i + 3) % 6].item() == pytest.approx(pasted / 80, abs=1e-6)
    rows, columns = (x[0, 0] == 3).nonzero().unbind(1) if (x[0] == 3).any() else (torch.zeros(1), torch.zeros(1))
    box = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert box in (len(rows), 1)  # one rectangle
    assert torch.equal(faces, before)


def test_cutmix_keeps_the_sampled_share():
    faces = torch.zeros(2, 1, 200, 200)
    kept, shares = [], []
    for seed in range(300):
        _, votes = cutmix(faces, torch.eye(2), np.random.default_rng(seed), alpha=1.0)
        kept.append(votes[0, 0].item())
        shares.append(np.random.default_rng(seed).beta(1.0, 1.0))
    kept, shares = np.array(kept), np.array(shares)
    assert (kept >= shares - 0.02).all()  # what reaches past the edge is not pasted
    assert (np.abs(kept - shares) < 0.02).sum() > 30  # and some rectangles lie inside


def test_both_take_turns_and_none_changes_nothing(faces):
    def mixed(step, **alphas):
        return mix(faces, VOTES, key=(0, 0, step), **alphas)[0]

    assert mixed(0, mixup_alpha=0.0, cutmix_alpha=0.0) is faces
    pasted = [bool((mixed(step, mixup_alpha=1.0, cutmix_alpha=1.0) % 1 == 0).all()) for step in range(200)]
    assert 70 < sum(pasted) < 130
    assert not any((mixed(step, mixup_alpha=1.0, cutmix_alpha=0.0) % 1 == 0).all() for step in range(20))
    assert all((mixed(step, mixup_alpha=0.0, cutmix_alpha=1.0) % 1 == 0).all() for step in range(20))
    assert torch.equal(mixed(3, mixup_alpha=1.0, cutmix_alpha=1.0), mixed(3, mixup_alpha=1.0, cutmix_alpha=1.0))
    assert not torch.equal(mixed(3, mixup_alpha=1.0, cutmix_alpha=0.0), mixed(4, mixup_alpha=1.0, cutmix_alpha=0.0))


def test_cutmix_pastes_everywhere_alike():
    faces = torch.stack([torch.zeros(1, 40, 40), torch.ones(1, 40, 40)])
    pasted = [cutmix(faces, VOTES[:2], np.random.default_rng(seed), alpha=1.0)[0][0, 0] for seed in range(1000)]
    share = torch.stack(pasted).mean(dim=0)
    assert share.min() > 0.1
    for dims in ((0,), (1,)):
        assert (share - share.flip(dims)).abs().max() < 0.08
