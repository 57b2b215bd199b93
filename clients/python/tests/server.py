"""The built server as a child process of a test, on a free port of loopback."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

PRIMARY = Path(__file__).resolve().parents[3] / "dist" / "primary.js"


@contextmanager
def running_server(directory: Path, *options: str) -> Iterator[str]:
    """The URL of a running server without a path, as ``http://127.0.0.1:40123``."""
    command = ["node", str(PRIMARY), "--port", "0", "--workers", "2", "--db-path", str(directory)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as server:
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


def eventually(is_true: Callable[[], bool], within_seconds: float = 10.0) -> None:
    """Returns when ``is_true`` does; fails when it does not in time."""
    give_up_at = time.monotonic() + within_seconds
    while time.monotonic() < give_up_at:
        if is_true():
            return
        time.sleep(0.02)
    raise AssertionError(f"it did not happen within {within_seconds} s")
