"""What several tests of archives need."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time

import pytest
from helpers.patience import PATIENCE_S

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


@pytest.fixture
def gs():
    """The same with another kind of server, in a process of its own: pyarrow waits for it with the GIL in its hands."""
    pytest.importorskip("gcp_storage_emulator", reason="needs pip install gcp-storage-emulator")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = ["start", "--host", "127.0.0.1", "--port", str(port), "--in-memory", "--default-bucket", "bucket"]
    running = subprocess.Popen([sys.executable, "-m", "gcp_storage_emulator", *argv], stderr=subprocess.DEVNULL)
    for _ in range(round(10 * PATIENCE_S)):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.1)
    yield f"gs://anonymous@bucket/results?scheme=http&endpoint_override=127.0.0.1:{port}"
    running.kill()
    running.wait()


@pytest.fixture(params=["s3", "gs"])
def bucket(request):
    """Each of them in turn."""
    return request.getfixturevalue(request.param)
