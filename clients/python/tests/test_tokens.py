"""Tokens: sent with every call, and written nowhere."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any, Iterator

import pytest

from big_cache import BigCache, BigCacheError
from server import running_server

SECRET = "bct_the-secret-of-the-shop"
WRONG = "bct_another-secret"


@pytest.fixture(scope="module")
def protected_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("protected")
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    tokens = directory / "tokens.json"
    tokens.write_text(json.dumps([{"name": "shop", "sha256": digest, "scopes": ["read", "write"]}]))
    tokens.chmod(0o600)
    with running_server(directory / "store", "--token-file", str(tokens)) as url:
        yield url


def in_location(url: str, secret: str) -> str:
    return url.replace("http://", f"http://x:{secret}@") + "/cache/"


def test_every_call_sends_the_token(protected_url: str) -> None:
    with BigCache(f"{protected_url}/cache/", token=SECRET) as cache:
        cache.set("a", 1)
        assert cache.get_or_set("b", lambda: 2, tags=["t"]) == 2
        cache.pickle("c", 3)
        assert (cache.get("a"), cache.get("b"), cache.unpickle("c")) == (1, 2, 3)
        assert cache.explain("a")["state"] == "hit"
        cache.purge_report(cache.purge(tag="t"))
        cache.delete("a")
        assert (cache.get("a"), cache.get("b")) == (None, None)


def test_a_token_may_stand_in_the_location(protected_url: str) -> None:
    with BigCache(in_location(protected_url, SECRET)) as cache:
        cache.set("in location", 1)
        assert cache.get("in location") == 1


def test_a_netrc_does_not_overrule_the_token(
    protected_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with BigCache(f"{protected_url}/cache/", token=SECRET) as cache:
        cache.set("netrc", 1)
        assert cache.get("netrc") == 1


def test_a_token_that_is_refused_raises(protected_url: str) -> None:
    with BigCache(f"{protected_url}/cache/", token=WRONG) as cache:
        for call in (lambda: cache.get("a"), lambda: cache.purge(tag="t"), lambda: cache.explain("a")):
            with pytest.raises(BigCacheError, match="401 TOKEN_REFUSED"):
                call()
        with pytest.raises(BigCacheError, match="401"):
            cache.clear()


def test_what_the_token_may_not_do_raises(protected_url: str) -> None:
    with BigCache(f"{protected_url}/cache/", token=SECRET) as cache:
        with pytest.raises(BigCacheError, match="403 SCOPE_REFUSED"):
            cache.purge(all=True)


@pytest.mark.parametrize("is_in_location", [True, False])
def test_a_token_is_in_no_log_and_in_no_error(
    protected_url: str, caplog: pytest.LogCaptureFixture, is_in_location: bool
) -> None:
    client: Any = (
        BigCache(in_location(protected_url, WRONG))
        if is_in_location
        else BigCache(f"{protected_url}/cache/", token=WRONG)
    )
    with client as cache, caplog.at_level(logging.DEBUG):
        cache.set("a", 1)
        cache.set("a", 1, tags=["t"])
        cache.pickle("a", 1)
        assert cache.get_or_set("a", lambda: "made") == "made"
        with pytest.raises(BigCacheError) as raised:
            cache.get("a")
    own = [record for record in caplog.records if record.name == "big_cache"]
    assert len(own) == 4
    assert WRONG not in caplog.text + str(raised.value) + repr(raised.value) + repr(cache)
    assert cache.big_cache_url == f"{protected_url}/cache/"
