"""What the client promises, against the real server."""

from __future__ import annotations

import logging
import socket
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from django.http import HttpResponse
from urllib3.connectionpool import HTTPConnectionPool

from big_cache import BigCache
from original_client import OriginalClient


def entry(location: str, key: str) -> dict[str, Any]:
    answer = requests.get(location + key, timeout=5)
    assert answer.status_code == 200
    return dict(answer.json())


def test_a_value_comes_back_as_it_was(cache: BigCache) -> None:
    for value in ["<p>안녕</p>", "", 0, False, None, 1.5, 2**70, [1, {"a": None}], {"b": "c"}]:
        cache.set("value", value)
        assert cache.get("value") == value


def test_a_miss_is_none(cache: BigCache) -> None:
    assert cache.get("never/stored") is None
    assert cache.unpickle("never/stored") is None


def test_a_version_is_another_entry(cache: BigCache) -> None:
    cache.set("page", "plain")
    cache.set("page", "second", version=2)
    assert (cache.get("page"), cache.get("page", version=2)) == ("plain", "second")
    cache.delete("page", version=2)
    assert (cache.get("page"), cache.get("page", version=2)) == ("plain", None)


def test_a_deleted_entry_is_gone_and_deleting_nothing_is_no_error(cache: BigCache) -> None:
    cache.set("page", "x")
    cache.delete("page")
    cache.delete("page")
    assert cache.get("page") is None


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ({"timeout": 60}, 60),
        ({"timeout": "28d"}, 28 * 86_400),
        ({"timeout": "7days"}, 7 * 86_400),
        ({"expires": "2h"}, 7200),
        ({"expires": 90}, 90),
        ({"expires": "2h", "timeout": 60}, 60),
    ],
)
def test_lifetimes(cache: BigCache, location: str, arguments: Any, seconds: int) -> None:
    before = time.time()
    cache.set("lifetime", "x", **arguments)
    expire = entry(location, "lifetime")["expire"]
    assert before + seconds - 1.1 <= expire <= time.time() + seconds + 0.1


def test_a_point_in_time_may_be_a_number_or_a_datetime(cache: BigCache, location: str) -> None:
    at = datetime.now(timezone.utc) + timedelta(hours=3)
    for expires in (at, at.timestamp(), at.astimezone().replace(tzinfo=None)):
        cache.set("point", "x", expires=expires)
        assert entry(location, "point")["expire"] == pytest.approx(at.timestamp(), abs=0.001)


def test_without_a_lifetime_the_entry_stays(cache: BigCache, location: str) -> None:
    cache.set("for ever", "x")
    assert entry(location, "for ever")["expire"] is None


def test_an_expired_entry_is_a_miss(cache: BigCache) -> None:
    cache.set("short", "x", expires=datetime.now(timezone.utc) - timedelta(seconds=1))
    assert cache.get("short") is None


def test_a_django_response_is_stored_as_its_text(cache: BigCache) -> None:
    cache.set("response", HttpResponse("<p>é</p>"))
    assert cache.get("response") == "<p>é</p>"


def test_objects_are_pickled(cache: BigCache) -> None:
    page = {"at": datetime(2026, 1, 2), "tags": {"a", "b"}, "bytes": bytes(range(256))}
    cache.pickle("object", page)
    assert cache.unpickle("object") == page


def test_bytes_that_are_no_value_are_a_miss(cache: BigCache, location: str) -> None:
    cache.pickle("pickled", 1)
    assert cache.get("pickled") is None
    assert cache.get_or_set("pickled", lambda: "made") == "made"
    assert cache.unpickle("pickled") == 1
    url = location.replace("/cache/", "/v1/entries/") + "no-text"
    latin = {"Content-Type": "text/html; charset=latin-1"}
    assert requests.put(url, data="é".encode("latin-1"), headers=latin, timeout=5).ok
    assert cache.get("no-text") is None


def test_only_the_last_segment_of_the_location_becomes_pickle(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "bigcache" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = server_url.rsplit(":", 1)[1]
    with BigCache(f"http://bigcache:{port}/cache/") as cache:
        cache.pickle("from a host called bigcache", 1)
        assert cache.unpickle("from a host called bigcache") == 1


def test_a_location_may_lack_its_last_slash(server_url: str) -> None:
    with BigCache(f"{server_url}/cache") as cache:
        cache.set("slash", 1)
        cache.pickle("slash too", 2)
        assert (cache.get("slash"), cache.unpickle("slash too")) == (1, 2)


def test_a_location_without_a_path_is_refused() -> None:
    with pytest.raises(ValueError, match="no path"):
        BigCache("http://localhost:36379")


def test_credentials_in_the_location_go_out_as_basic_authorisation(server_url: str) -> None:
    host = server_url.removeprefix("http://")
    sent: list[Any] = []
    with BigCache(f"http://user:secret@{host}/cache/") as cache:
        cache._session.hooks["response"].append(lambda answer, *_, **__: sent.append(answer.request))
        cache.get("anything")
    assert sent[0].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("key", ["..", "a/../b", "./a", "a/%2e%2E/stat", "a/.", "../clear?x=1"])
def test_dot_segments_are_refused(cache: BigCache, key: str) -> None:
    calls: list[Any] = [
        lambda: cache.get(key),
        lambda: cache.set(key, 1),
        lambda: cache.delete(key),
        lambda: cache.pickle(key, 1),
        lambda: cache.unpickle(key),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="segments"):
            call()


def test_dots_elsewhere_are_ordinary(cache: BigCache) -> None:
    for key in ["a..b", "...", "a?path=../b", ".hidden", "a/.b/c."]:
        cache.set(key, key)
        assert cache.get(key) == key


def test_a_hash_belongs_to_the_key(cache: BigCache, location: str) -> None:
    cache.set("page#one", 1)
    cache.set("page#two", 2)
    assert (cache.get("page#one"), cache.get("page#two"), cache.get("page")) == (1, 2, None)
    assert entry(location, "page%23one")["key"] == "page#one"


def test_connections_are_used_again(cache: BigCache, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    real = HTTPConnectionPool._new_conn

    def counting(pool: HTTPConnectionPool) -> Any:
        made.append(pool)
        return real(pool)

    monkeypatch.setattr(HTTPConnectionPool, "_new_conn", counting)
    cache.set("pooled", 1)
    for _ in range(20):
        assert cache.get("pooled") == 1
    assert len(made) == 1


def test_closing_the_client_leaves_the_store_open(cache: BigCache) -> None:
    cache.set("kept", 1)
    cache.close()
    assert cache.get("kept") == 1


def test_clear_removes_everything(cache: BigCache) -> None:
    cache.set("a", 1)
    cache.clear()
    assert cache.get("a") is None


def test_a_server_that_does_not_answer_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with BigCache(f"http://127.0.0.1:{port}/cache/", request_timeout=0.2) as cache:
            with pytest.raises(requests.Timeout):
                cache.get("a")
            with caplog.at_level(logging.WARNING):
                cache.set("a", 1)
                cache.pickle("a", 1)
    assert len(caplog.records) == 2


def test_what_one_client_stores_the_other_reads(cache: BigCache, location: str) -> None:
    original = OriginalClient(location)
    for nth, key in enumerate(["/dataset/1/", "/search?q=a+b&page=2", "/a b/ü", "x:y;z=1,2"]):
        original.set(key, f"original {nth}", timeout="28d")
        assert cache.get(key) == f"original {nth}"
        cache.set(key, f"ours {nth}", timeout=60, version=nth + 1)
        assert original.get(key, version=nth + 1) == f"ours {nth}"
        original.pickle(f"{key}.pickle", {"nth": nth})
        assert cache.unpickle(f"{key}.pickle") == {"nth": nth}


def test_a_page_is_sent_compressed_and_nobody_notices(cache: BigCache, location: str) -> None:
    page = "<tr><td>어떤 값</td><td>그리고 또 하나</td></tr>\n" * 1000
    cache.set("compressed", page)
    cache.pickle("compressed/pickle", {"page": page})
    assert cache.get("compressed") == page
    assert cache.unpickle("compressed/pickle") == {"page": page}
    answer = requests.get(location + "compressed", timeout=5)
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(page.encode()) / 10
    assert answer.json()["value"] == page
    plain = requests.get(
        location + "compressed", headers={"Accept-Encoding": "identity"}, timeout=5
    )
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content
