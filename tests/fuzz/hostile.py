"""Hostile content: what a damaged disk, another program or a malicious person makes of a file.

In:  a random generator, bytes, text, or a JSON value.
Out: the same with one or several changes; texts and values that programs stumble over.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

TEXTS = (
    "", " ", "a", "NA", "nan", "inf", "-inf", "-1", "1e400", "1_000", "0x10", "१२", "²", "None", "true", "\x00",
    "a\x00b",
    "\x1b[2J", "\x07", "a\nb", "\r", "\u202e", "\ud800", "\udcff", "\ufeff", "é", "日本語", "🙂" * 40, "x" * 300,
    "y" * 70_000,
    "../../etc/passwd", "/etc/passwd", "/dev/zero", "~", "~nobody/x", "a/b", "a\\b", ".", "..", "*", "[", "%s%n",
    "{0.x}",
    "=1+1", "+1", "@x", "-x", '"', "'", ",", ";", "\t", "http://[::1", "file:///etc/passwd", "99999999999999999999",
    "timm/", "timm/../x", "nn.Module",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 3, 7, 255, 65_535, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, -(2**63), 10**20, 10**400,
    -(10**400),
    0.0, -0.0, 0.5, 1.5, 1e-320, 1e-30, 1e30, 1e38, 1e39, 1.7e308, float("inf"), float("-inf"), float("nan"), True,
    False,
)  # fmt: skip


def pick(rng: Rng, choices: Any) -> Any:
    """One of `choices`, as it is: numpy would make numbers of its own of them."""
    return choices[int(rng.integers(len(choices)))]


def text(rng: Rng) -> str:
    """A text that is hard on programs."""
    return pick(rng, TEXTS) if rng.random() < 0.9 else "".join(map(chr, rng.integers(1, 0xD7FF, 12)))


def value(rng: Rng, depth: int = 0) -> Any:
    """A JSON value of any kind, with NaN and infinity, which Python's json reads too."""
    kind = int(rng.integers(7 if depth < 3 else 4))
    if kind == 0:
        return None
    if kind in (1, 2):
        return pick(rng, NUMBERS)
    if kind == 3:
        return text(rng)
    if kind in (4, 5):
        return [value(rng, depth + 1) for _ in range(int(rng.integers(5)))]
    return {text(rng): value(rng, depth + 1) for _ in range(int(rng.integers(4)))}


def changed_value(rng: Rng, tree: Any) -> Any:
    """A JSON value in which one to three entries, at any depth, are replaced, left out, doubled or renamed."""
    tree = copy.deepcopy(tree)
    for _ in range(int(rng.integers(1, 4))):
        tree = _change_one(rng, tree)
    return tree


def _change_one(rng: Rng, tree: Any) -> Any:
    if not isinstance(tree, (dict, list)) or not tree or rng.random() < 0.05:
        return value(rng)
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key = pick(rng, keys)
    if isinstance(tree[key], (dict, list)) and tree[key] and rng.random() < 0.7:
        tree[key] = _change_one(rng, tree[key])
        return tree
    change = rng.random()
    if change < 0.6:
        tree[key] = value(rng)
    elif change < 0.8:
        del tree[key]
    elif isinstance(tree, dict):
        tree[text(rng)] = tree.pop(key)
    else:
        tree.insert(key, copy.deepcopy(tree[key]))
    return tree


def json_text(rng: Rng, tree: Any) -> str:
    """`tree` as JSON, sometimes damaged, nested very deeply, or no JSON at all."""
    written = json.dumps(tree)
    chance = rng.random()
    if chance < 0.06:
        return "[" * 100_000
    if chance < 0.1:
        return '{"a":' * 50_000 + "1" + "}" * 50_000
    if chance < 0.15:
        return written.replace("1", "9" * 5000)
    return changed_text(rng, written) if chance < 0.3 else written


def changed_bytes(rng: Rng, content: bytes) -> bytes:
    """Bytes with one to six changes: flipped, overwritten, cut, put in, moved, doubled."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 7))):
        pick(rng, _BYTE_CHANGES)(rng, data)
    return bytes(data)


def _place(rng: Rng, data: bytearray) -> int:
    """An index, in the first 200 bytes more often than elsewhere: headers are there."""
    return int(rng.integers(min(len(data), 200) if rng.random() < 0.6 else len(data))) if data else 0


def _flip(rng: Rng, data: bytearray) -> None:
    if data:
        data[_place(rng, data)] ^= 1 << int(rng.integers(8))


def _overwrite(rng: Rng, data: bytearray) -> None:
    at, length = _place(rng, data), int(rng.integers(1, 9))
    data[at : at + length] = pick(rng, (b"\x00", b"\xff", b"\x7f", b"\x80", b" ", b"\n")) * length


def _noise(rng: Rng, data: bytearray) -> None:
    at, length = _place(rng, data), int(rng.integers(1, 64))
    data[at : at + length] = rng.bytes(length)


def _cut(rng: Rng, data: bytearray) -> None:
    if rng.random() < 0.4:
        del data[_place(rng, data) :]


def _remove(rng: Rng, data: bytearray) -> None:
    at = _place(rng, data)
    del data[at : at + int(rng.integers(1, 64))]


def _insert(rng: Rng, data: bytearray) -> None:
    at = _place(rng, data)
    data[at:at] = rng.bytes(int(rng.integers(1, 64)))


def _double(rng: Rng, data: bytearray) -> None:
    at = _place(rng, data)
    data[at:at] = data[at : at + int(rng.integers(1, 256))]


_BYTE_CHANGES: tuple[Callable[[Rng, bytearray], None], ...]
_BYTE_CHANGES = (_flip, _flip, _overwrite, _overwrite, _noise, _cut, _remove, _insert, _double)


def changed_text(rng: Rng, content: str) -> str:
    """A text with one to three changes of characters, fields or lines."""
    for _ in range(int(rng.integers(1, 4))):
        content = pick(rng, _TEXT_CHANGES)(rng, content)
    return content


def _change_field(rng: Rng, content: str) -> str:
    """Another content for one field of one line."""
    separator = pick(rng, [sign for sign in ",; \t:" if sign in content] or [","])
    lines = content.split("\n")
    row = int(rng.integers(len(lines)))
    fields = lines[row].split(separator)
    fields[int(rng.integers(len(fields)))] = str(pick(rng, NUMBERS[:30])) if rng.random() < 0.5 else text(rng)
    lines[row] = separator.join(fields)
    return "\n".join(lines)


def _change_lines(rng: Rng, content: str) -> str:
    lines = content.split("\n")
    row = int(rng.integers(len(lines)))
    change = int(rng.integers(4))
    if change == 0:
        del lines[row]
    elif change == 1:
        lines.insert(row, lines[int(rng.integers(len(lines)))])
    elif change == 2:
        lines[row] = text(rng)
    else:
        lines = lines[:row]
    return "\n".join(lines)


def _change_characters(rng: Rng, content: str) -> str:
    at = int(rng.integers(len(content) + 1))
    return content[:at] + text(rng) + content[at + int(rng.integers(4)) :]


def _change_separator(rng: Rng, content: str) -> str:
    return content.replace(pick(rng, (",", " ", "\n", '"', ".")), pick(rng, (",", ";", "\t", " ", "\r\n", "")))


_TEXT_CHANGES: tuple[Callable[[Rng, str], str], ...]
_TEXT_CHANGES = (_change_field, _change_field, _change_field, _change_lines, _change_characters, _change_separator)


def encoded(rng: Rng, content: str) -> bytes:
    """A text as bytes: mostly UTF-8, sometimes another encoding, sometimes damaged."""
    chance = rng.random()
    encoding = "utf-8" if chance < 0.8 else pick(rng, ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"))
    errors = "surrogatepass" if encoding.startswith("utf") else "replace"
    data = content.encode(encoding, errors)
    return changed_bytes(rng, data) if rng.random() < 0.15 else data
