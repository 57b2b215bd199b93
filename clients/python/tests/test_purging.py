"""Tags, purges, their reports, and why a key misses."""

from __future__ import annotations

from typing import Any

import pytest

from big_cache import BigCache, BigCacheError
from server import eventually


def finished(cache: BigCache, purge_id: str) -> dict[str, Any]:
    eventually(lambda: cache.purge_report(purge_id)["state"] == "done")
    return cache.purge_report(purge_id)


def test_a_purge_by_tag_takes_what_has_the_tag(cache: BigCache) -> None:
    cache.set("shop/one", 1, timeout=60, tags=["product-7", "신발"])
    cache.get_or_set("shop/two", lambda: 2, timeout=60, tags=["product-7"])
    cache.set("shop/three", 3, tags=["product-8"])
    assert cache.explain("shop/one")["entry"]["tags"] == ["product-7", "신발"]
    report = finished(cache, cache.purge(tag="product-7"))
    assert (report["selector"], report["matched"]) == ({"tag": "product-7"}, 2)
    assert [cache.get(f"shop/{name}") for name in ("one", "two", "three")] == [None, None, 3]
    explained = cache.explain("shop/one")
    assert (explained["state"], explained["reason"]) == ("miss", "purged")
    assert explained["by"]["purge"] == report["id"]
    cache.purge(tag="신발")


def test_one_tag_may_be_a_text(cache: BigCache) -> None:
    cache.set("one tag", 1, tags="abc")
    assert cache.explain("one tag")["entry"]["tags"] == ["abc"]


def test_a_tagged_value_comes_back_as_it_was(cache: BigCache) -> None:
    for value in ["<p>안녕</p>", "", 0, None, 2**70, [1, {"a": None}]]:
        cache.set("tagged", value, tags=["t"])
        assert cache.get("tagged") == value
        assert cache.get_or_set("tagged", lambda: "made") == value


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ({"timeout": 60}, 60),
        ({"timeout": "7days"}, 7 * 86_400),
        ({"expires": "2h"}, 7200),
        ({"expires": 90}, 90),
        ({"expires": "2h", "timeout": 60}, 60),
    ],
)
def test_a_tagged_value_lives_as_long_as_any(
    cache: BigCache, arguments: dict[str, Any], seconds: int
) -> None:
    cache.set("tagged for a while", 1, tags=["t"], **arguments)
    entry = cache.explain("tagged for a while")["entry"]
    assert entry["expiresAt"] - entry["storedAt"] == pytest.approx(seconds, abs=1.1)


def test_a_purge_by_prefix(cache: BigCache) -> None:
    for key in ("/dataset/1/", "/dataset/1/?page=2", "/dataset/2/"):
        cache.set(key, key)
    cache.purge(prefix="/dataset/1")
    assert cache.get("/dataset/1/") is cache.get("/dataset/1/?page=2") is None
    assert cache.get("/dataset/2/") == "/dataset/2/"


def test_a_dry_run_only_counts(cache: BigCache) -> None:
    cache.set("dry/one", 1)
    report = finished(cache, cache.purge(prefix="dry/", dry_run=True))
    assert (report["dryRun"], report["matched"], report["removed"]) == (True, 1, 0)
    assert cache.get("dry/one") == 1


def test_everything_is_purged(cache: BigCache) -> None:
    cache.set("anything", 1)
    cache.purge(all=True)
    assert cache.get("anything") is None


def test_a_purge_has_exactly_one_selector(cache: BigCache) -> None:
    for arguments in ({}, {"tag": "a", "prefix": "b"}, {"tag": "a", "all": True}):
        with pytest.raises(BigCacheError) as raised:
            cache.purge(**arguments)
        assert (raised.value.status, raised.value.code) == (422, "PURGE_INVALID")


def test_a_purge_that_is_not_known(cache: BigCache) -> None:
    with pytest.raises(BigCacheError, match="PURGE_UNKNOWN"):
        cache.purge_report("1-ffff/../x")
