"""Could this run have saved that state? What a file holds is compared with what the run would write, before it is used.

In:  the state of a learner's part, progress and history from last.pt; the run's own.
Out: nothing, or `UserError` that says where they differ.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from support.cli import UserError

# what sgd and adam keep of a parameter
MOMENTS: tuple[set[str], ...] = (set(), {"momentum_buffer"}, {"step", "exp_avg", "exp_avg_sq"})


def check_part(found: Any, wanted: Any, *, what: str) -> None:
    """Refuse a value with other keys, types or shapes than `wanted`, or numbers that are not finite."""
    _refuse(difference(found, wanted), what)


def check_optimiser(found: Any, optimiser: torch.optim.Optimizer) -> None:
    """Refuse the state of an optimiser of other parameters, or of another kind."""
    groups = optimiser.state_dict()["param_groups"]
    if not isinstance(found, dict) or not isinstance(found.get("param_groups"), list):
        _refuse("it has no groups of parameters", "optimiser")
    theirs = [group for group in found["param_groups"] if isinstance(group, dict) and "params" in group]
    known = [{key: group.get(key, mine[key]) for key in mine} for group, mine in zip(theirs, groups, strict=False)]
    _refuse(difference(known, groups), "optimiser")  # a key that is missing is of a later torch, and has its default
    found["param_groups"] = known
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    moments = found.get("state")
    if not isinstance(moments, dict):
        _refuse("it has no moments", "optimiser")
    for index, values in moments.items():
        if type(index) is not int or not 0 <= index < len(parameters):
            _refuse(f"{index!r:.40} is no parameter", "optimiser")
        if not isinstance(values, dict) or set(values) not in MOMENTS:
            _refuse(f"parameter {index} has other moments", "optimiser")
        for name, value in values.items():
            shape = () if name == "step" else parameters[index].shape
            if value is not None:
                _refuse(difference(value, torch.zeros(shape)), f"optimiser, {name} of parameter {index}")


def check_history(history: Any, *, rows: int | None, columns: Collection[str]) -> None:
    """Refuse what is no list of so many `rows` (None: any) of finite numbers by name, among them `columns`."""
    if not isinstance(history, list) or (rows is not None and len(history) != rows):
        _refuse(f"wanted {'a list of' if rows is None else rows} rows", "history")
    for row in history:
        if not isinstance(row, dict) or not row.keys() >= set(columns) or not all(map(is_number, row.values())):
            _refuse("a row lacks a number", "history")


def check_count(value: Any, most: int, *, what: str) -> None:
    """Refuse what is no whole number from 0 to `most`."""
    if type(value) is not int or not 0 <= value <= most:
        _refuse(f"wanted a whole number from 0 to {most}, not {value!r:.40}", what)


def is_number(value: Any) -> bool:
    """Is it a number, and finite?"""
    return type(value) in (int, float) and abs(value) < math.inf


def difference(found: Any, wanted: Any) -> str:
    """Where `found` differs from `wanted` in keys, lengths, types or shapes, or is not finite; "" where it does not."""
    if isinstance(wanted, Tensor):
        if not isinstance(found, Tensor) or found.layout != torch.strided or found.shape != wanted.shape:
            return f"wanted an array of the shape {tuple(wanted.shape)}"
        return "" if found.is_floating_point() == wanted.is_floating_point() and _finite(found) else "it is not finite"
    if isinstance(wanted, dict):
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            return "it has other entries"
        return next((f"{key}: {what}" for key in wanted if (what := difference(found[key], wanted[key]))), "")
    if isinstance(wanted, (list, tuple)):
        if not isinstance(found, (list, tuple)) or len(found) != len(wanted):
            return f"wanted {len(wanted)} entries"
        return next((what for pair in zip(found, wanted, strict=True) if (what := difference(*pair))), "")
    if is_number(wanted):
        return "" if is_number(found) else f"wanted a number, not {found!r:.40}"
    fits = found is None or isinstance(found, bool) if wanted is None else type(found) is type(wanted)
    return "" if fits else f"wanted {wanted!r:.40}, not {found!r:.40}"


def _finite(tensor: Tensor) -> bool:
    return tensor.device.type != "meta" and not tensor.is_quantized and bool(tensor.isfinite().all())


def _refuse(fault: str, what: str) -> None:
    if fault:
        raise UserError(f"the state to resume from is not one of this run ({what}: {fault}); start a new run.")
