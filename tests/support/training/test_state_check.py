"""States of trainings, as they were saved, and as nobody could have saved them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from support import UserError
from support.training.learner import make_optimiser
from support.training.state_check import check_count, check_history, check_optimiser, check_part


def stepped(name: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network and its optimiser after a step."""
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimiser = make_optimiser(name, network, weight_decay=0.1)
    network(torch.ones(4, 3)).sum().backward()
    optimiser.step()
    return network, optimiser


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_what_was_saved_is_taken(name):
    network, optimiser = stepped(name)
    check_part(network.state_dict(), network.state_dict(), what="network")
    state = copy.deepcopy(optimiser.state_dict())
    check_optimiser(state, make_optimiser(name, network, weight_decay=0.1))
    assert state["param_groups"] == optimiser.state_dict()["param_groups"]


def test_a_group_without_a_key_has_the_default_of_a_later_torch():
    _, optimiser = stepped("sgd")
    state = optimiser.state_dict()
    del state["param_groups"][0]["maximize"]
    check_optimiser(state, optimiser)
    assert state["param_groups"][0]["maximize"] is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("0.weight", torch.zeros(2, 4)),
        ("0.weight", torch.full((2, 3), torch.nan)),
        ("0.weight", [[0.0] * 3] * 2),
        ("0.weight", torch.zeros(2, 3, device="meta")),
        ("0.weight", torch.zeros(2, 3).to_sparse()),
        ("1.num_batches_tracked", torch.tensor(1.5)),
        ("more", torch.zeros(1)),
    ],
)
def test_other_tensors_are_refused(name, value):
    network, _ = stepped("sgd")
    with pytest.raises(UserError, match=r"not one of this run \(network: "):
        check_part(network.state_dict() | {name: value}, network.state_dict(), what="network")


@pytest.mark.parametrize("found", [None, 3, [], {}, {"0.weight": torch.zeros(2, 3)}])
def test_what_is_no_state_is_refused(found):
    network, optimiser = stepped("sgd")
    with pytest.raises(UserError, match="start a new run"):
        check_part(found, network.state_dict(), what="network")
    with pytest.raises(UserError, match="start a new run"):
        check_optimiser(found, optimiser)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["param_groups"].pop(),
        lambda state: state["param_groups"][0].update(lr="high"),
        lambda state: state["param_groups"][0].update(params=[0, 1, 2]),
        lambda state: state["param_groups"].__setitem__(0, 7),
        lambda state: state.update(state=[]),
        lambda state: state["state"].update({9: {}}),
        lambda state: state["state"].update({"0": {}}),
        lambda state: state["state"][0].update(exp_avg=torch.zeros(5)),
        lambda state: state["state"][0].pop("exp_avg"),
        lambda state: state["state"].update({0: None}),
    ],
)
def test_another_optimiser_is_refused(change):
    _, optimiser = stepped("adamw")
    state = copy.deepcopy(optimiser.state_dict())
    change(state)
    with pytest.raises(UserError, match="optimiser"):
        check_optimiser(state, optimiser)


@pytest.mark.parametrize("history", [None, {}, [1], [{}], [{"epoch": "1"}], [{"epoch": np.nan}], [{"epoch": 1}] * 2])
def test_a_history_has_so_many_rows_of_numbers(history):
    check_history([{"epoch": 1, "more": 0.5}], rows=1, columns=["epoch"])
    check_history([{"step": 1}] * 5, rows=None, columns=["step"])
    with pytest.raises(UserError, match="history"):
        check_history(history, rows=1, columns=["epoch"])


@pytest.mark.parametrize("value", [-1, 6, 10**20, 1.0, True, None, "1"])
def test_a_count_is_a_whole_number_up_to_its_most(value):
    check_count(0, 5, what="progress")
    check_count(5, 5, what="progress")
    with pytest.raises(UserError, match="from 0 to 5"):
        check_count(value, 5, what="progress")
