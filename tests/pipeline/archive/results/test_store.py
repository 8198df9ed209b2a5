"""Files that are complete or not there, in folders and at addresses."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.archive.results.store import Store, is_address, open_place, reason_of, shown, split_address, told
from pipeline.archive.sources import Source
from pipeline.archive.worker import new_record
from support import UserError

RECORDS = [new_record(Source("/a/s", "s", True))]
TABLE = pa.table({"a": [1, 2], "b": ["x", None]})


def check(store):
    store.write_table("faces/part.parquet", TABLE, RECORDS)
    store.write_json("_settings.json", {"a": 1})
    assert store.read_table("faces/part.parquet").equals(TABLE)
    assert store.records("faces/part.parquet") == RECORDS
    assert store.read_json("_settings.json") == {"a": 1}
    assert store.read_json("none.json") is None
    assert store.names("faces") == ["faces/part.parquet"]
    assert store.names("faces", ".*") == []
    assert store.names("none") == []
    store.write_bytes("faces/part.parquet", b"no parquet")
    assert store.records("faces/part.parquet") is None
    store.delete("faces/part.parquet")
    store.delete("faces/part.parquet")
    assert not store.exists("faces/part.parquet")
    store.write_bytes("deep/file", b"1")
    store.move("deep/file", "deep/er/file")
    assert store.names("deep") == []
    assert store.names("deep/er") == ["deep/er/file"]
    assert store.folders("deep") == ["deep/er"]
    store.delete_folder("deep")
    store.delete_folder("deep")
    assert not store.exists("deep/er/file")


def test_a_folder(tmp_path):
    check(Store(str(tmp_path / "results")))
    assert Store(str(tmp_path)).is_local


def test_an_address_on_this_machine(tmp_path):
    check(Store(f"file://{tmp_path}/results"))


def test_a_bucket(bucket):
    store = Store(bucket)
    assert not store.is_local
    check(store)


def test_what_fails_on_the_way_leaves_the_old_file(tmp_path):
    store = Store(str(tmp_path))
    store.write_bytes("a/file", b"old")
    with pytest.raises(RuntimeError), store.replacing("a/file") as partial:
        with open(partial, "wb") as file:
            file.write(b"half")
        raise RuntimeError
    assert (tmp_path / "a" / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path / "a") == ["file"]


def test_places_that_cannot_be_written_are_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot write"):
        Store(str(tmp_path / "file")).write_bytes("x", b"1")
    with pytest.raises(UserError, match="nosuch://x cannot be reached") as raised:
        Store("nosuch://user:secret@x/y")
    assert "secret" not in str(raised.value)


def test_a_bucket_that_is_not_there_is_said(gs):
    address = gs.replace("@bucket", "@none")
    with pytest.raises(UserError, match="cannot write gs://none/results/x: there is no such bucket"):
        Store(address).write_bytes("x", b"1")


def test_parts_are_damaged_or_out_of_reach(tmp_path, monkeypatch):
    store = Store(str(tmp_path))
    store.write_table("part.parquet", TABLE, RECORDS)
    assert store.records("none.parquet") is None

    def fail(*arguments, **options):
        raise OSError("the connection was lost")

    monkeypatch.setattr(pq, "read_metadata", fail)
    store.filesystem = SimpleNamespace(open_input_stream=fail)
    with pytest.raises(OSError, match="connection"):  # else the part would be thrown away
        store.records("part.parquet")
    with pytest.raises(UserError, match="cannot read gs://b/r: the connection was lost"), told("gs://any@b/r?x=y"):
        store.records("part.parquet")


@pytest.mark.parametrize(
    "said",
    ["5", "[5]", "{}", "[{}]", '[{"path": ["x"]}]', "[" * 100_000, json.dumps([{**RECORDS[0], "path": ["x"]}]), "no"],
    ids=range(8),
)
def test_records_of_another_program_are_none(tmp_path, said):
    pq.write_table(TABLE.replace_schema_metadata({"archive": said}), tmp_path / "part.parquet")
    assert Store(str(tmp_path)).records("part.parquet") is None


def test_what_google_says_is_said_in_short():
    said = (
        "google::cloud::Status(UNAVAILABLE: Retry policy exhausted, with a last message of {} error_info={{reason=}})"
    )
    unresolved = "PerformWork() - CURL error [6]=Could not resolve hostname"
    assert reason_of(OSError(said.format(unresolved))) == "Could not resolve hostname"
    assert reason_of(OSError(said.format("no access token. Learn more"))).startswith("no access token; run gcloud auth")
    assert reason_of(OSError(28, "No space left on device")) == "No space left on device"


def test_addresses():
    assert is_address("s3://a/b")
    assert not is_address("C:/a")
    assert not is_address("/a/b")
    assert shown("s3://user:secret@bucket/a?region=x") == "s3://bucket/a"
    assert shown("s3://user:sec/ret@bucket/a?region=x") == "s3://bucket/a"
    assert shown("gs://anonymous@bucket/a@b.jpg") == "gs://bucket/a@b.jpg"
    assert open_place("file:///folder/a@b.jpg")[1] == "/folder/a@b.jpg"
    assert shown("some/folder?") == "some/folder?"


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("s3://b/a?region=x&scheme=y", ("s3", "b/a", "?region=x&scheme=y")),
        ("s3://b/what?.jpg?region=x", ("s3", "b/what?.jpg", "?region=x")),
        ("gs://b/what?.jpg", ("gs", "b/what?.jpg", "")),
        ("s3://b", ("s3", "b", "")),
    ],
)
def test_a_question_mark_in_a_name_begins_no_options(address, parts):
    assert split_address(address) == parts
