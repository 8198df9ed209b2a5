"""Sixty hostile inputs of all kinds, none of which may break the programs; `make fuzz` tries twelve thousand."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from fuzz.cases import all_kinds, generator_of, numbers_of
from fuzz.supervisor import tables, try_cases

COUNT = 60
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")


@pytest.mark.long
@pytest.mark.thorough
@LINUX
def test_hostile_inputs_are_read_or_refused_in_a_sentence():
    outcomes = list(try_cases(numbers_of(COUNT)))
    assert len(outcomes) >= COUNT - len(all_kinds())
    assert {outcome.kind for outcome in outcomes} == set(all_kinds())
    counted = {name: sum(outcome.outcome == name for outcome in outcomes) for name in ("result", "refused", "failed")}
    assert counted["failed"] == 0, tables(outcomes)
    assert min(counted["result"], counted["refused"]) > COUNT / 10  # neither all harmless, nor all hopeless


def test_a_part_of_a_run_has_tried_all_kinds_by_their_shares():
    cases = numbers_of(12_000)
    assert len(set(cases)) == len(cases) >= 12_000
    part, whole = (Counter(kind for kind, _ in some) for some in (cases[:1000], cases))
    assert {kind: abs(part[kind] - whole[kind] / 12) <= 1 for kind in all_kinds()} == dict.fromkeys(all_kinds(), True)


@pytest.mark.parametrize("kind", [kind for kind in all_kinds() if kind not in ("resume", "training", "live", "film")])
def test_a_case_is_the_same_each_time(kind, tmp_path):
    """So that a failure can be repeated by its number."""
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / "shared").mkdir(exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FUZZ_MARKER", "EXECUTED")
            patch.chdir(tmp_path / name)
            all_kinds()[kind].make(generator_of(kind, 3), tmp_path / name, tmp_path / "shared")
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert contents[0] == contents[1]


@pytest.mark.long
@pytest.mark.thorough
@LINUX
def test_what_is_no_result_and_no_sentence_fails(monkeypatch):
    """The faults of fuzz.faults: each is noticed as what it is, and the cases after it are tried all the same."""
    monkeypatch.setenv("FUZZ_KINDS", "fuzz.faults")
    monkeypatch.setenv("FUZZ_CPU_S", "1")
    found = {outcome.kind: outcome for outcome in try_cases([(name, 0) for name in all_kinds()], workers=1)}
    signatures = {name: outcome.signature for name, outcome in found.items() if outcome.outcome == "failed"}
    assert signatures == {
        "error": "error: KeyError at tests/fuzz/faults.py:_raise",
        "empty": "empty: a sentence of 1 characters from tests/fuzz/faults.py:_raise",
        "leave": "leave: exit 0",
        "memory": "memory: MemoryError at tests/fuzz/faults.py:<lambda>",
        "code": "code: code inside the input was executed",
        "crash": "crash: SIGSEGV",
        "hang": "hang: takes too long",
    }
    assert (found["sentence"].outcome, found["number"].outcome) == ("refused", "result")
