"""The client that users of the original run, and ours, side by side on real pages."""

from __future__ import annotations

import os
import time
from pathlib import Path

import requests

from big_cache import BigCache
from original_client import OriginalClient

CORPUS = Path(os.environ.get("BIGCACHE_CORPUS", "/usr/share/doc/postgresql-doc-15/html"))
PAGES = 1000


def test_both_clients_serve_the_same_pages(location: str) -> None:
    original = OriginalClient(location)
    pages = sorted(CORPUS.glob("**/*.html"))[:PAGES]
    assert len(pages) == PAGES, f"{CORPUS} holds too few pages"
    texts = [page.read_bytes().decode("utf-8", "replace") for page in pages]
    with BigCache(location) as ours:
        started = time.monotonic()
        for nth, text in enumerate(texts):
            original.set(f"/original/{nth}/?page={nth % 7}", text, timeout="28d")
            original.pickle(f"/original-pickle/{nth}", text)
        original_seconds = time.monotonic() - started
        started = time.monotonic()
        for nth, text in enumerate(texts):
            ours.set(f"/ours/{nth}/?page={nth % 7}", text, timeout="28d")
            ours.pickle(f"/ours-pickle/{nth}", text)
        our_seconds = time.monotonic() - started
        for nth, text in enumerate(texts):
            for owner in ("original", "ours"):
                key = f"/{owner}/{nth}/?page={nth % 7}"
                assert original.get(key) == ours.get(key) == text
                pickled = f"/{owner}-pickle/{nth}"
                assert original.unpickle(pickled) == ours.unpickle(pickled) == text
            one, other = (
                requests.get(f"{location}/{owner}/{nth}/?page={nth % 7}", timeout=5).json()
                for owner in ("original", "ours")
            )
            assert (one["value"], one["duration"]) == (other["value"], other["duration"])
    print(
        f"{PAGES} pages, equal through both clients; stored twice each in {original_seconds:.1f} s "
        f"by the original's client, {our_seconds:.1f} s by ours"
    )
