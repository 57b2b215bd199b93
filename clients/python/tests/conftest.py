"""The built server on a free port of loopback, for the tests of the client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

PYTHON_CLIENT = Path(__file__).resolve().parents[1]
PRIMARY = PYTHON_CLIENT.parents[1] / "dist" / "primary.js"
sys.path.insert(0, str(PYTHON_CLIENT))


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running server without a path, as ``http://127.0.0.1:40123``."""
    directory = tmp_path_factory.mktemp("store")
    command = ["node", str(PRIMARY), "--port", "0", "--workers", "2", "--db-path", str(directory)]
    command += ["--allowed-hosts", "bigcache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield _listening_url(server)
        finally:
            server.terminate()
            assert server.wait(timeout=30) == 0


def _listening_url(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        url = json.loads(line).get("url")
        if url:
            return str(url)
    raise AssertionError("the server ended before it listened")


@pytest.fixture()
def location(server_url: str) -> str:
    """What a user gives the client."""
    return f"{server_url}/cache/"
