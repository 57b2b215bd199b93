"""What the tests of the client share: one built server, and a client of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from big_cache import BigCache
from server import running_server

settings.configure(DEFAULT_CHARSET="utf-8", ALLOWED_HOSTS=["*"])


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running server without a path, as ``http://127.0.0.1:40123``."""
    directory = tmp_path_factory.mktemp("store")
    with running_server(directory, "--allowed-hosts", "bigcache") as url:
        yield url


@pytest.fixture()
def location(server_url: str) -> str:
    """What a user gives the client."""
    return f"{server_url}/cache/"


@pytest.fixture()
def cache(location: str) -> Iterator[BigCache]:
    with BigCache(location) as client:
        yield client
