"""Servers that are gone, silent or broken: no page fails for them, and none waits for long."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator
from urllib.parse import urlsplit

import pytest
import requests

from big_cache import BigCache, BigCacheError


def answer(status: str, body: str = "", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


HIT = answer("200 OK", '"hit"')
UNREADABLE = answer("200 OK", '"hit}')
REFUSED = answer(
    "503 Service Unavailable", '{"detail":"The store is closed.","code":"STORE_CLOSED"}'
)
NO_HTTP = b"SSH-2.0-OpenSSH_9.2\r\n"


@contextmanager
def scripted_server(*connections: list[bytes], port: int = 0) -> Iterator[str]:
    """A server of scripted answers: to each connection its own, then that connection is closed."""
    stop, stopped = socket.socketpair()

    def serve() -> None:
        for answers in connections:
            if listener not in select.select([listener, stopped], [], [], 30)[0]:
                return
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                for told in answers:
                    piece = connection.recv(65_536)
                    while piece and b"\r\n\r\n" not in piece:
                        piece = connection.recv(65_536)
                    connection.sendall(told)
                if answers:
                    # Closed only when the next request is on its way, here or on a new connection.
                    select.select([connection, listener, stopped], [], [], 30)

    with stop, stopped, socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/cache/"
        finally:
            stop.shutdown(socket.SHUT_WR)
            thread.join(30)
        assert not thread.is_alive()


@pytest.fixture()
def gone() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/cache/"


def test_get_or_set_does_without_a_server_that_is_gone(
    gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    with BigCache(gone) as cache, caplog.at_level(logging.WARNING):
        for nth in range(100):
            assert cache.get_or_set("page", lambda: nth) == nth
    assert time.monotonic() - started < 5
    assert len(caplog.records) == 1, "the rest did not even ask"


def test_what_make_raises_is_raised_without_a_server_too(gone: str) -> None:
    with BigCache(gone) as cache, pytest.raises(ZeroDivisionError):
        cache.get_or_set("page", lambda: 1 / 0)


def test_a_silent_server_is_given_up_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        location = f"http://127.0.0.1:{silent.getsockname()[1]}/cache/"
        with BigCache(location, request_timeout=0.3) as cache, caplog.at_level(logging.WARNING):
            started = time.monotonic()
            for nth in range(100):
                assert cache.get_or_set("page", lambda: nth, wait=1) == nth
            assert 1.2 < time.monotonic() - started < 4


def test_a_server_that_goes_while_a_value_is_made(caplog: pytest.LogCaptureFixture) -> None:
    leased = answer("404 Not Found", Cache_Lease_Token="token")
    server = scripted_server([leased])
    with BigCache(server.__enter__()) as cache, caplog.at_level(logging.WARNING):

        def make() -> str:
            server.__exit__(None, None, None)
            return "made"

        assert cache.get_or_set("page", make) == "made"
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "an entry was not stored",
        "a lease was not given up",
    ]


def test_a_server_that_comes_back_is_asked_again(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("big_cache._PASSED_OVER_SECONDS", 0.5)
    port = urlsplit(gone).port
    assert port is not None
    with BigCache(gone) as cache:
        cache.get_or_set("page", lambda: "made")
        with scripted_server([HIT], port=port):
            assert cache.get_or_set("page", lambda: "made") == "made"
            time.sleep(0.6)
            assert cache.get_or_set("page", lambda: "made") == "hit"
            cache.close()


@pytest.mark.parametrize("told", [REFUSED, UNREADABLE])
def test_an_answer_that_is_no_help_is_a_miss(told: bytes) -> None:
    with scripted_server([told], [told]) as location, BigCache(location) as cache:
        assert cache.get_or_set("page", lambda: "made") == "made"
        cache.close()
        assert cache.get("page") is None
        cache.close()


def test_what_does_not_speak_http_is_no_server() -> None:
    with scripted_server([NO_HTTP], [NO_HTTP]) as location, BigCache(location) as cache:
        assert cache.get_or_set("page", lambda: "made") == "made"
        cache.close()


def test_a_broken_connection_is_made_anew_once() -> None:
    with scripted_server([HIT], [HIT], [], []) as location, BigCache(location) as cache:
        assert (cache.get("page"), cache.get("page")) == ("hit", "hit")
        cache.close()
        with pytest.raises(requests.ConnectionError):
            cache.get("page")


def test_an_error_has_its_code_and_status() -> None:
    with scripted_server([REFUSED]) as location, BigCache(location) as cache:
        with pytest.raises(BigCacheError, match="503 STORE_CLOSED: The store is closed.") as raised:
            cache.purge(tag="a")
        cache.close()
        assert (raised.value.status, raised.value.code) == (503, "STORE_CLOSED")
        assert isinstance(raised.value, requests.RequestException)


def test_a_page_that_cannot_be_stored_is_still_a_page(caplog: pytest.LogCaptureFixture) -> None:
    leased = answer("404 Not Found", Cache_Lease_Token="token")
    released = answer("404 Not Found")
    asked: list[Any] = []
    with scripted_server([leased, REFUSED, released]) as location:
        with BigCache(location) as cache, caplog.at_level(logging.WARNING):
            cache._session.hooks["response"].append(lambda told, *_, **__: asked.append(told.request))
            assert cache.get_or_set("page", lambda: "made") == "made"
    assert [request.method for request in asked] == ["GET", "PUT", "DELETE"]
    assert asked[2].path_url == "/v1/leases/page"
    assert [record.getMessage() for record in caplog.records] == [
        "an entry was not stored: 503 STORE_CLOSED: The store is closed."
    ]
