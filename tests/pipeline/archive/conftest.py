"""What several tests of archives need."""

from __future__ import annotations

import pytest

from pipeline.archive.results.store import open_place


@pytest.fixture
def s3(monkeypatch):
    """The address of an empty bucket, on this machine."""
    server = pytest.importorskip("moto.server", reason="needs pip install moto[server]")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    _, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = f"bucket-{port}"  # all servers of a process hold the same ones
    address = f"s3://{bucket}/results?scheme=http&region=us-east-1&allow_bucket_creation=true&endpoint_override=127.0.0.1:{port}"
    filesystem, _ = open_place(address)
    filesystem.create_dir(bucket)
    yield address
    running.stop()
