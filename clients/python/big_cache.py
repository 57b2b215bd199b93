"""Client of a BigCache server, for Django and other Python programs.

The same class and methods as the client of the original's example, over one pooled session instead of a
connection per call, and with a timeout on every call. Needs ``requests`` and nothing else::

    bigcache = BigCache("http://localhost:36379/cache/")
    bigcache.set(request.get_full_path(), html, timeout="28d")
    html = bigcache.get(request.get_full_path())

A miss is ``None``. A server that cannot be reached raises ``requests.RequestException`` from ``get``,
``unpickle``, ``delete`` and ``clear``; ``set`` and ``pickle`` log it and go on, since a page that was not
cached is still a page.
"""

from __future__ import annotations

import logging
import pickle
import re
import time
from datetime import datetime
from typing import Any, Optional, Union
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

__all__ = ["BigCache"]

logger = logging.getLogger("big_cache")

#: A point in time (Unix seconds or a datetime), a number of seconds, or a duration such as ``"28d"``.
Expires = Union[int, float, datetime, str]

#: A number of ``expires`` below this (2000-01-01) is a number of seconds from now.
_EPOCH_MIN = 946_684_800

#: What may stand in a target as it is, beside letters, digits and ``_.-~`` (RFC 3986, section 2).
_SAFE = "!$&'()*+,/:;=?@[]%"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BigCache:
    """A BigCache server at ``location``, such as ``http://localhost:36379/cache/``.

    ``location`` may hold credentials (``http://user:password@host/cache/``). One object may be shared
    by threads; a process that forks makes its own.

    ``request_timeout`` is in seconds, to connect and between two pieces of an answer.
    """

    def __init__(
        self, location: str, request_timeout: float = 2.0, pool_size: int = 10
    ) -> None:
        self.big_cache_url: str = location if location.endswith("/") else f"{location}/"
        self._pickle_url: str = _replace_last_segment(self.big_cache_url, "pickle")
        self._clear_url: str = _replace_last_segment(self.big_cache_url, "clear")[:-1]
        self._timeout: float = request_timeout
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=pool_size)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def get(self, key: str, version: Optional[object] = None) -> Any:
        """The value stored under ``key``, or None for a miss or an expired entry."""
        response = self._session.get(
            self.big_cache_url + _target(_versioned(key, version)), timeout=self._timeout
        )
        return response.json()["value"] if response.status_code == 200 else None

    def set(
        self,
        key: str,
        value: Any,
        expires: Optional[Expires] = None,
        timeout: Optional[Union[int, str]] = None,
        version: Optional[object] = None,
    ) -> None:
        """Stores ``value``: anything that JSON can hold, or a rendered Django response.

        ``timeout`` is a number of seconds, or a duration such as ``"28d"``, and wins over ``expires``;
        without either the entry stays for ever.
        """
        url = self.big_cache_url + _target(_versioned(key, version))
        payload = {"value": _content_of(value), **_lifetime(expires, timeout)}
        try:
            response = self._session.post(url, json=payload, timeout=self._timeout)
            response.raise_for_status()
        except requests.RequestException as error:
            logger.warning("an entry was not stored: %s", error)

    def delete(self, key: str, version: Optional[object] = None) -> None:
        """Removes the entry ``key``; nothing happens when there is none."""
        self._session.delete(
            self.big_cache_url + _target(_versioned(key, version)), timeout=self._timeout
        )

    def pickle(self, key: str, page: Any) -> None:
        """Stores any object that can be pickled."""
        url = self._pickle_url + _target(key)
        try:
            response = self._session.post(url, data=pickle.dumps(page), timeout=self._timeout)
            response.raise_for_status()
        except requests.RequestException as error:
            logger.warning("an entry was not stored: %s", error)

    def unpickle(self, key: str) -> Any:
        """The object that ``pickle`` stored under ``key``, or None.

        Unpickling runs code that the bytes name: whoever can write to the server can run code here.
        """
        response = self._session.get(self._pickle_url + _target(key), timeout=self._timeout)
        return pickle.loads(response.content) if response.status_code == 200 else None

    def clear(self) -> None:
        """Removes every entry of the server. (In the original's client this did nothing.)"""
        self._session.post(self._clear_url, timeout=self._timeout).raise_for_status()

    def close(self) -> None:
        """Closes this client's connections, never the server's store; a later call opens new ones."""
        self._session.close()

    def __enter__(self) -> BigCache:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _replace_last_segment(location: str, segment: str) -> str:
    """``http://bigcache:36379/cache/`` with ``pickle`` is ``http://bigcache:36379/pickle/``."""
    parts = urlsplit(location)
    path = parts.path.rstrip("/")
    if "/" not in path:
        raise ValueError(f"the location has no path such as /cache/: {location}")
    parent = path[: path.rindex("/") + 1]
    return urlunsplit((parts.scheme, parts.netloc, f"{parent}{segment}/", "", ""))


def _versioned(key: str, version: Optional[object]) -> str:
    return f"{key}:{version}" if version else key


def _target(key: str) -> str:
    """``key`` as it stands in the request target: valid triplets are kept, the rest is quoted.

    This is what ``requests`` makes of a URL, so ``get_full_path()`` can be given as it is; only a
    ``#``, which requests would cut off, becomes part of the key. Raises ValueError for segments ``.``
    and ``..``, which requests would resolve into another path, even another route.
    """
    path = key.partition("?")[0]
    if any(unquote(segment) in (".", "..") for segment in path.split("/")):
        raise ValueError(f"a key has no segments . or ..: {key}")
    return quote(_STRAY_PERCENT.sub("%25", key), safe=_SAFE)


def _content_of(value: Any) -> Any:
    """The text of a Django response; every other value as it is."""
    if hasattr(value, "rendered_content"):
        return value.rendered_content
    if hasattr(value, "content") and hasattr(value, "charset"):
        return value.content.decode(value.charset)
    return value


def _lifetime(
    expires: Optional[Expires], timeout: Optional[Union[int, str]]
) -> dict[str, Union[int, float, str]]:
    if timeout:
        # "28d" goes out as "28ds", as it always did: the server reads the first letter.
        return {"duration": f"{timeout}s"}
    if not expires:
        return {}
    if isinstance(expires, str):
        return {"duration": expires}
    if isinstance(expires, datetime):
        return {"expire": expires.timestamp()}
    if expires < _EPOCH_MIN:
        return {"expire": int(time.time() + expires)}
    return {"expire": expires}
