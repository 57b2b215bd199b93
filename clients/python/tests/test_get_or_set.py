"""One caller makes what is missing, and the others get it; and nothing is ever worse than without."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import pytest
import requests
from urllib3.connectionpool import HTTPConnectionPool

from big_cache import BigCache
from server import eventually

PROCESSES = 50
FORK = multiprocessing.get_context("fork")
numbers = itertools.count()


@pytest.fixture()
def key() -> str:
    return f"/page/{next(numbers)}/?a=b"


def never() -> Any:
    raise AssertionError("nothing is to be made here")


def in_processes(count: int, call: Callable[[], Any]) -> list[Any]:
    """What ``call`` returns in each of so many forked processes that begin at once."""
    begin, results = FORK.Barrier(count), FORK.Queue()

    def run() -> None:
        begin.wait(60)
        results.put(call())

    processes = [FORK.Process(target=run) for _ in range(count)]
    for process in processes:
        process.start()
    values = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    return values


def waiters_of(url: str) -> int:
    return int(requests.get(f"{url}/v1/stats", timeout=5).json()["leases"]["waiting"])


def make_stale(cache: BigCache, key: str, value: str) -> None:
    cache.set(key, value, expires=datetime.now(timezone.utc) - timedelta(seconds=1), stale=600)


def test_what_is_missing_is_made_and_stored(cache: BigCache, key: str) -> None:
    assert cache.get_or_set(key, lambda: "<p>안녕</p>", timeout=60) == "<p>안녕</p>"
    assert cache.get_or_set(key, never) == "<p>안녕</p>"
    assert cache.get(key) == "<p>안녕</p>"


def test_what_set_stored_is_a_hit(cache: BigCache, key: str) -> None:
    for value in ["", 0, False, None, [1, {"a": 2**70}]]:
        cache.set(key, value)
        assert cache.get_or_set(key, never) == value


def test_none_is_a_value(cache: BigCache, key: str) -> None:
    assert cache.get_or_set(key, lambda: None) is None
    assert cache.get_or_set(key, never) is None


def test_a_version_is_another_entry(cache: BigCache, key: str) -> None:
    assert cache.get_or_set(key, lambda: 1, version=1) == 1
    assert cache.get_or_set(key, lambda: 2, version=2) == 2
    assert (cache.get(key, version=1), cache.get(key)) == (1, None)


def test_a_lifetime_is_a_number_of_seconds_or_a_duration(cache: BigCache, key: str) -> None:
    for timeout, seconds in [(60, 60), ("28d", 28 * 86_400), ("7days", 7 * 86_400)]:
        cache.delete(key)
        cache.get_or_set(key, lambda: "x", timeout=timeout)
        entry = cache.explain(key)["entry"]
        assert entry["expiresAt"] - entry["storedAt"] == pytest.approx(seconds, abs=1)
    cache.delete(key)
    cache.get_or_set(key, lambda: "x")
    assert cache.explain(key)["entry"]["expiresAt"] is None


def test_fifty_processes_make_one_rendering(cache: BigCache, key: str, tmp_path: Path) -> None:
    renderings = tmp_path / "renderings"

    def render() -> str:
        with renderings.open("a") as file:
            file.write("one\n")
        time.sleep(1)
        return f"rendered by {os.getpid()}"

    # A connection of the parent's is open when they are forked.
    assert cache.get(key) is None
    values = in_processes(PROCESSES, lambda: cache.get_or_set(key, render, timeout=60))
    assert renderings.read_text() == "one\n"
    assert set(values) == {cache.get(key)}
    assert len(values) == PROCESSES


def test_threads_share_a_client_and_make_one_rendering(cache: BigCache, key: str) -> None:
    made: list[int] = []

    def render() -> int:
        made.append(threading.get_ident())
        time.sleep(0.5)
        return made[0]

    with ThreadPoolExecutor(20) as threads:
        values = list(threads.map(lambda _: cache.get_or_set(key, render), range(20)))
    assert len(made) == 1
    assert values == made * 20


def test_a_forked_process_opens_its_own_connections(
    cache: BigCache, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = FORK.Value("i", 0)
    real = HTTPConnectionPool._new_conn

    def counting(pool: HTTPConnectionPool) -> Any:
        with made.get_lock():
            made.value += 1
        return real(pool)

    monkeypatch.setattr(HTTPConnectionPool, "_new_conn", counting)
    cache.set(key, 1)
    assert made.value == 1
    assert in_processes(2, lambda: [cache.get(key) for _ in range(5)]) == [[1] * 5] * 2
    assert made.value == 3
    assert cache.get(key) == 1
    assert made.value == 3


def test_the_next_takes_over_from_a_holder_that_was_killed(cache: BigCache, key: str) -> None:
    began = FORK.Event()

    def hang() -> None:
        began.set()
        time.sleep(600)

    holder = FORK.Process(target=lambda: cache.get_or_set(key, hang, lease=2))
    holder.start()
    try:
        assert began.wait(30)
    finally:
        holder.kill()
        holder.join(30)
    started = time.monotonic()
    assert cache.get_or_set(key, lambda: "taken over", lease=2, wait=20) == "taken over"
    assert time.monotonic() - started < 10
    assert cache.get(key) == "taken over"


def test_the_next_takes_over_at_once_where_make_raises(
    cache: BigCache, key: str, server_url: str
) -> None:
    holds, fails = threading.Event(), threading.Event()

    def fail() -> None:
        holds.set()
        assert fails.wait(30)
        raise LookupError("no such page")

    with ThreadPoolExecutor(2) as threads:
        failing = threads.submit(cache.get_or_set, key, fail, lease=60, wait=50)
        assert holds.wait(30)
        waiting = threads.submit(cache.get_or_set, key, lambda: "made", lease=60, wait=50)
        eventually(lambda: waiters_of(server_url) == 1)
        started = time.monotonic()
        fails.set()
        with pytest.raises(LookupError, match="no such page"):
            failing.result(30)
        assert waiting.result(30) == "made"
    assert time.monotonic() - started < 5
    assert cache.get(key) == "made"


def test_a_wait_that_ends_first_is_made_without_being_stored(cache: BigCache, key: str) -> None:
    holds, ends = threading.Event(), threading.Event()

    def slow() -> str:
        holds.set()
        assert ends.wait(30)
        return "slow"

    with ThreadPoolExecutor(1) as threads:
        holder = threads.submit(cache.get_or_set, key, slow, lease=60)
        assert holds.wait(30)
        assert cache.get_or_set(key, lambda: "mine", wait=1) == "mine"
        assert cache.get(key) is None
        ends.set()
        assert holder.result(30) == "slow"
    assert cache.get(key) == "slow"


def test_what_was_purged_meanwhile_is_returned_but_not_stored(cache: BigCache, key: str) -> None:
    def make() -> str:
        cache.purge(prefix="page/")
        return "older than the purge"

    assert cache.get_or_set(key, make) == "older than the purge"
    assert cache.get(key) is None
    assert cache.get_or_set(key, lambda: "newer") == "newer"


def test_what_another_stored_meanwhile_is_returned(cache: BigCache, key: str) -> None:
    def make() -> str:
        cache.set(key, "newer")
        return "older"

    assert cache.get_or_set(key, make) == "newer"
    assert cache.get(key) == "newer"


def test_while_one_makes_a_stale_value_anew_others_get_the_old_one(
    cache: BigCache, key: str
) -> None:
    make_stale(cache, key, "old")
    assert cache.get(key) is None
    holds, ends = threading.Event(), threading.Event()

    def make() -> str:
        holds.set()
        assert ends.wait(30)
        return "new"

    with ThreadPoolExecutor(1) as threads:
        holder = threads.submit(cache.get_or_set, key, make, timeout=60, stale=600)
        assert holds.wait(30)
        assert cache.get_or_set(key, never) == "old"
        ends.set()
        assert holder.result(30) == "new"
    assert cache.get_or_set(key, never) == "new"


def test_a_soft_purge_has_the_value_made_anew(cache: BigCache, key: str) -> None:
    cache.set(key, "old", tags=["soft"])
    cache.purge(tag="soft", soft=True)
    assert cache.get(key) is None
    assert cache.get_or_set(key, lambda: "new") == "new"
    assert cache.get(key) == "new"


def test_the_old_value_is_shown_where_a_new_one_cannot_be_made(
    cache: BigCache, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_stale(cache, key, "old")
    assert cache.get_or_set(key, lambda: 1 / 0, stale=600) == "old"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "ZeroDivisionError" in caplog.text
    with pytest.raises(ZeroDivisionError):
        cache.get_or_set(key, lambda: 1 / 0)
    assert cache.get_or_set(key, lambda: "new", stale=600) == "new"


def test_text_is_stored_as_it_is(cache: BigCache, key: str, server_url: str) -> None:
    html = "text/html; charset=utf-8"
    assert cache.get_or_set(key, lambda: "<p>é</p>", timeout=60, content_type=html) == "<p>é</p>"
    answer = requests.get(f"{server_url}/v1/entries{key}", timeout=5)
    assert (answer.content, answer.headers["Content-Type"]) == ("<p>é</p>".encode(), html)
    assert cache.get_or_set(key, never) == cache.get(key) == "<p>é</p>"


@pytest.mark.parametrize(
    "arguments",
    [
        {"lease": 0},
        {"lease": 301},
        {"wait": 61},
        {"wait": -1},
        {"timeout": "soon"},
        {"tags": ["a b"]},
        {"tags": ["a,b"]},
        {"tags": [""]},
        {"content_type": "image/png"},
    ],
)
def test_mistakes_are_told_before_anything_is_made(
    cache: BigCache, key: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):
        cache.get_or_set(key, never, **arguments)


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_what_json_cannot_hold_is_returned_and_the_lease_given_up(
    cache: BigCache, key: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert cache.get_or_set(key, lambda: value, lease=60) is value
    assert "not stored" in caplog.text
    assert cache.get_or_set(key, lambda: "next", lease=60) == "next"
    assert cache.get(key) == "next"
