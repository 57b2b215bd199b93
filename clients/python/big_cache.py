"""Client of a BigCache server, for Django and other Python programs.

The same class and methods as the client of the original's example, over one pooled session instead
of a connection per call, and with a timeout on every call. Needs ``requests`` and nothing else. It
stays one file, as the original's is, so that it is copied beside a program in one step::

    bigcache = BigCache("http://localhost:36379/cache/")
    bigcache.set(request.get_full_path(), html, timeout="28d")
    html = bigcache.get(request.get_full_path())

What the original had not: one rendering however many ask, invalidation by tag, tokens::

    bigcache = BigCache("https://cache.example:36379/cache/", token="bct_...")
    html = bigcache.get_or_set("report/7", render, timeout="28d", tags=["report-7", "reports"])
    bigcache.purge(tag="report-7")

A miss is ``None``. A server that cannot be reached raises ``requests.RequestException``, and an
answer that refuses a ``BigCacheError``, which is one too. ``set``, ``pickle`` and ``get_or_set``
log either and go on, since a page that was not cached is still a page.
"""

from __future__ import annotations

import json
import logging
import math
import os
import pickle
import re
import time
from datetime import datetime
from typing import Any, Callable, Iterable, Optional, Union
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

__all__ = ["BigCache", "BigCacheError"]

logger = logging.getLogger("big_cache")

#: A point in time (Unix seconds or a datetime), a number of seconds, or a duration such as ``"28d"``.
Expires = Union[int, float, datetime, str]

#: A number of ``expires`` below this (2000-01-01) is a number of seconds from now.
_EPOCH_MIN = 946_684_800

#: For how long ``get_or_set`` does without a server that could not be reached.
_PASSED_OVER_SECONDS = 5.0

#: What may stand in a target as it is, beside letters, digits and ``_.-~`` (RFC 3986, section 2).
_SAFE = "!$&'()*+,/:;=?@[]%"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DURATION = re.compile(r"(\d+)([smhd])[A-Za-z]*")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

#: Stands for no value, where None is one.
_MISS: Any = object()

_JSON = "application/json"

_Headers = dict[str, Union[str, bytes]]
_Lifetime = dict[str, Union[int, float, str]]
_Auth = Union[tuple[str, str], Callable[[requests.PreparedRequest], requests.PreparedRequest]]


class BigCacheError(requests.HTTPError):
    """An answer that refuses: ``status`` is that of HTTP, ``code`` one of ``docs/errors.md``."""

    def __init__(
        self, message: str, code: str = "", response: Optional[requests.Response] = None
    ) -> None:
        super().__init__(message, response=response)
        self.code: str = code
        self.status: int = 0 if response is None else response.status_code


class BigCache:
    """A BigCache server at ``location``, such as ``http://localhost:36379/cache/``.

    ``token`` is sent as Bearer; or else ``location`` holds it (``http://x:TOKEN@host/cache/``). One
    object may be shared by threads and by forked processes; each process has its own connections.

    ``request_timeout`` is in seconds, to connect and between two pieces of an answer.
    """

    def __init__(
        self,
        location: str,
        request_timeout: float = 2.0,
        pool_size: int = 10,
        token: Optional[str] = None,
    ) -> None:
        location, credentials = _without_credentials(location)
        self.big_cache_url: str = location if location.endswith("/") else f"{location}/"
        self._pickle_url: str = _replace_last_segment(self.big_cache_url, "pickle")
        self._clear_url: str = _replace_last_segment(self.big_cache_url, "clear")[:-1]
        self._v1_url: str = _replace_last_segment(self.big_cache_url, "v1")
        self._timeout: float = request_timeout
        self._pool_size: int = pool_size
        self._auth = credentials if token is None else _bearer(token)
        self._pooled, self._pid = self._new_session(), os.getpid()
        self._passed_over_until: float = 0.0

    def get(self, key: str, version: Optional[object] = None) -> Any:
        """The value stored under ``key``, or None for a miss or an expired entry, also a stale one.

        None too for bytes that are neither JSON nor text, such as those of ``pickle``. Raises
        BigCacheError where the token is refused.
        """
        url = f"{self._v1_url}entries/{_target(_versioned(key, version))}"
        response = self._ask("GET", url)
        if response.status_code in (401, 403):
            raise _error_of(response)
        value = _fresh_value_of(response)
        return None if value is _MISS else value

    def set(
        self,
        key: str,
        value: Any,
        expires: Optional[Expires] = None,
        timeout: Optional[Union[int, str]] = None,
        version: Optional[object] = None,
        *,
        tags: Iterable[str] = (),
        stale: int = 0,
        content_type: Optional[str] = None,
    ) -> None:
        """Stores ``value``: anything that JSON can hold, or a rendered Django response.

        ``timeout`` is a number of seconds, or a duration such as ``"28d"``, and wins over
        ``expires``; without either the entry stays for ever.

        ``tags``, ``stale`` and ``content_type`` are as for ``get_or_set``. With one of them the
        entry is stored under ``/v1/entries/``, where the original's client cannot read it. Raises
        ValueError for a tag, a duration or a content_type that is none.
        """
        target = _target(_versioned(key, version))
        content = _content_of(value)
        lifetime = _lifetime(expires, timeout)
        try:
            if tags or stale or content_type:
                headers = _entry_headers(lifetime, stale, tags, content_type)
                body = _encoded(content, headers)
                url = f"{self._v1_url}entries/{target}"
                _checked(self._ask("PUT", url, data=body, headers=headers))
            else:
                payload = {"value": content, **lifetime}
                _checked(self._ask("POST", self.big_cache_url + target, json=payload))
        except requests.RequestException as error:
            logger.warning("an entry was not stored: %s", error)

    def get_or_set(
        self,
        key: str,
        make: Callable[[], Any],
        timeout: Optional[Union[int, str]] = None,
        version: Optional[object] = None,
        *,
        tags: Iterable[str] = (),
        stale: int = 0,
        content_type: Optional[str] = None,
        lease: int = 20,
        wait: int = 25,
    ) -> Any:
        """The value under ``key``, or else what ``make()`` returns, stored for ``timeout``.

        Of all threads, processes and machines that ask at once, one calls ``make``, and the others
        wait for its value. ``make`` returns what ``set`` takes. What it raises is raised here: then
        nothing is stored, and the next caller takes over at once.

        - ``tags``: names by which ``purge`` finds the entry.
        - ``stale``: seconds after ``timeout`` in which one caller makes the value anew while all
          others get the old one. If ``make`` raises an Exception then, it is logged, and the old
          value is returned.
        - ``content_type``: such as ``"text/html; charset=utf-8"``. The value is text, and is stored
          as it is instead of as JSON, so that nginx can show it.
        - ``lease``: seconds that ``make`` takes at most, 1 to 300. Then the next caller may try;
          the value of a slow one is still taken.
        - ``wait``: seconds, at most 60, to wait for the value that another makes. Then this call
          makes its own, and stores nothing. Let it be more than ``lease``, so that somebody takes
          over from a process that died. The defaults fit into gunicorn's 30 s for a request.

        Where the server cannot be reached or refuses, the value is made and not stored, and the
        reason is logged. Raises ValueError as ``set`` does.
        """
        if not 1 <= lease <= 300 or not 0 <= wait <= 60:
            raise ValueError("lease is 1 to 300 seconds, and wait 0 to 60")
        target = _target(_versioned(key, version))
        headers = _entry_headers(_lifetime(None, timeout), stale, tags, content_type)
        value, token = self._read_or_lease(target, lease, wait)
        if token is None and value is not _MISS:
            return value
        try:
            made = _content_of(make())
        except BaseException as error:
            self._release(target, token)
            if value is _MISS or not stale or not isinstance(error, Exception):
                raise
            logger.exception("an entry could not be made anew, so it is shown stale")
            return value
        return made if token is None else self._keep(target, made, headers, token)

    def delete(self, key: str, version: Optional[object] = None) -> None:
        """Removes the entry ``key``; nothing happens when there is none."""
        self._ask("DELETE", self.big_cache_url + _target(_versioned(key, version)))

    def purge(
        self,
        prefix: Optional[str] = None,
        tag: Optional[str] = None,
        all: bool = False,
        soft: bool = False,
        dry_run: bool = False,
    ) -> str:
        """Takes the entries whose key begins with ``prefix``, or with this ``tag``, or ``all``.

        Give exactly one of the three. It is in effect for all readers when this returns; the id
        that it returns is for ``purge_report``. A ``prefix`` is as the server stores keys: decoded,
        and with no slash behind the path of a page. With ``soft`` entries go stale instead, and
        ``dry_run`` only counts. Raises BigCacheError.
        """
        selectors: dict[str, object] = {"prefix": prefix, "tag": tag, "all": all or None}
        order = {name: value for name, value in selectors.items() if value is not None}
        order = {**order, "soft": soft, "dryRun": dry_run}
        return str(_checked(self._ask("POST", f"{self._v1_url}purge", json=order)).json()["id"])

    def purge_report(self, purge_id: str) -> dict[str, Any]:
        """What became of a purge: ``state`` (running or done), ``matched``, ``removed``, ``bytes``.

        And ``costMs``, what the entries had cost to make. Raises BigCacheError.
        """
        url = f"{self._v1_url}purges/{quote(purge_id, safe='')}"
        return dict(_checked(self._ask("GET", url)).json())

    def explain(self, key: str, version: Optional[object] = None) -> dict[str, Any]:
        """Why ``key`` hits or misses: ``state`` (hit, stale or miss), ``reason``, ``at``, ``by``.

        ``at`` is in Unix seconds. Raises BigCacheError.
        """
        url = f"{self._v1_url}explain/{_target(_versioned(key, version))}"
        return dict(_checked(self._ask("GET", url)).json())

    def pickle(self, key: str, page: Any) -> None:
        """Stores any object that can be pickled."""
        try:
            _checked(self._ask("POST", self._pickle_url + _target(key), data=pickle.dumps(page)))
        except requests.RequestException as error:
            logger.warning("an entry was not stored: %s", error)

    def unpickle(self, key: str) -> Any:
        """The object that ``pickle`` stored under ``key``, or None.

        Unpickling runs code that the bytes name: whoever can write to the server can run code here.
        """
        response = self._ask("GET", self._pickle_url + _target(key))
        return pickle.loads(response.content) if response.status_code == 200 else None

    def clear(self) -> None:
        """Removes every entry of the server. (In the original's client this did nothing.)"""
        _checked(self._ask("POST", self._clear_url))

    def close(self) -> None:
        """Closes this client's connections, never the server's store; a later call opens new ones."""
        self._session.close()

    def __enter__(self) -> BigCache:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def _session(self) -> requests.Session:
        """The session of this process; that of the process it was forked from is left alone."""
        if self._pid != os.getpid():
            self._pooled, self._pid = self._new_session(), os.getpid()
        return self._pooled

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.auth = self._auth
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=self._pool_size)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def _ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """One request, and once more where its connection broke: another worker takes the second.

        No request of this client does harm when it is made twice.
        """
        options.setdefault("timeout", self._timeout)
        try:
            return self._session.request(method, url, **options)
        except requests.ConnectionError as error:
            if isinstance(error, requests.Timeout):
                raise
            return self._session.request(method, url, **options)

    def _read_or_lease(self, target: str, lease: int, wait: int) -> tuple[Any, Optional[str]]:
        """The value, stale ones included, or _MISS; and the token where it is ours to make."""
        if time.monotonic() < self._passed_over_until:
            return _MISS, None
        asked = {"Cache-Lease": str(lease), "Prefer": f"wait={wait}"}
        timeout = (self._timeout, self._timeout + wait)
        try:
            url = f"{self._v1_url}entries/{target}"
            response = self._ask("GET", url, headers=asked, timeout=timeout)
        except requests.RequestException as error:
            self._passed_over_until = time.monotonic() + _PASSED_OVER_SECONDS
            logger.warning("the cache is passed over for %g s: %s", _PASSED_OVER_SECONDS, error)
            return _MISS, None
        if response.status_code not in (200, 404):
            logger.warning("an entry was not read: %s", _error_of(response))
        return _value_of(response), response.headers.get("Cache-Lease-Token")

    def _keep(self, target: str, made: Any, headers: _Headers, token: str) -> Any:
        """Stores what the holder of a lease has made. The value to return: what is newest."""
        url = f"{self._v1_url}entries/{target}"
        headers = {**headers, "Cache-Lease-Token": token}
        try:
            response = self._ask("PUT", url, data=_encoded(made, headers), headers=headers)
            if response.status_code == 409:
                # Written, deleted or purged since the lease: what was made may be the older one.
                newer = _fresh_value_of(self._ask("GET", url))
                return made if newer is _MISS else newer
            _checked(response)
        except (requests.RequestException, TypeError, ValueError) as error:
            logger.warning("an entry was not stored: %s", error)
            self._release(target, token)
        return made

    def _release(self, target: str, token: Optional[str]) -> None:
        """Gives a lease up, so that who waits need not wait for its end."""
        if token is None:
            return
        try:
            url = f"{self._v1_url}leases/{target}"
            self._ask("DELETE", url, headers={"Cache-Lease-Token": token})
        except requests.RequestException as error:
            logger.warning("a lease was not given up: %s", error)


def _without_credentials(location: str) -> tuple[str, Optional[_Auth]]:
    """The two apart, so that no error and no line of a log that holds a URL holds a password."""
    parts = urlsplit(location)
    userinfo, _, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    bare = urlunsplit((parts.scheme, host, parts.path, "", ""))
    return bare, (unquote(user), unquote(password)) if userinfo else None


def _bearer(token: str) -> _Auth:
    """As a function and not as a header of the session, which a ``.netrc`` would overrule."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _error_of(response: requests.Response) -> BigCacheError:
    try:
        told = dict(response.json())
    except (ValueError, TypeError):
        told = {"detail": response.reason}
    code = str(told.get("code", ""))
    return BigCacheError(f"{response.status_code} {code}: {told.get('detail')}", code, response)


def _checked(response: requests.Response) -> requests.Response:
    if not response.ok:
        raise _error_of(response)
    return response


def _fresh_value_of(response: requests.Response) -> Any:
    """As ``_value_of``, but what is stale is a miss: its ttl is negative (RFC 9211, section 2.4)."""
    return _MISS if "ttl=-" in response.headers.get("Cache-Status", "") else _value_of(response)


def _value_of(response: requests.Response) -> Any:
    """The value in a 200 of ``/v1/entries/``; _MISS for other answers, and for other bytes."""
    if response.status_code != 200:
        return _MISS
    kind = response.headers.get("Content-Type", "").lower()
    try:
        if kind.startswith(_JSON):
            return response.json()
        return response.content.decode() if kind.startswith("text/") else _MISS
    except ValueError:
        return _MISS


def _encoded(content: Any, headers: _Headers) -> bytes:
    if headers["Content-Type"] == _JSON:
        return json.dumps(content, allow_nan=False).encode()
    if isinstance(content, str):
        return content.encode()
    raise TypeError(f"with a content_type the value is text, not {type(content).__name__}")


def _entry_headers(
    lifetime: _Lifetime, stale: int, tags: Iterable[str], content_type: Optional[str]
) -> _Headers:
    headers: _Headers = {"Content-Type": content_type or _JSON}
    if content_type and not content_type.lower().startswith("text/"):
        raise ValueError(f"content_type is one of text, in UTF-8: {content_type}")
    names = [tags] if isinstance(tags, str) else list(tags)
    if any(not name or re.search(r"[\s,]", name) for name in names):
        raise ValueError(f"a tag has no spaces and no commas: {names}")
    if names:
        headers["Cache-Tag"] = ",".join(names).encode()
    if lifetime:
        window = f", stale-while-revalidate={stale}" if stale else ""
        headers["Cache-Control"] = f"max-age={_seconds_of(lifetime)}{window}"
    return headers


def _seconds_of(lifetime: _Lifetime) -> int:
    if "expire" in lifetime:
        return max(0, math.ceil(float(lifetime["expire"]) - time.time()))
    duration = _DURATION.fullmatch(str(lifetime["duration"]))
    if duration is None:
        raise ValueError(f"a duration is a number and s, m, h or d: {lifetime['duration']}")
    return int(duration[1]) * _UNIT_SECONDS[duration[2]]


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


def _lifetime(expires: Optional[Expires], timeout: Optional[Union[int, str]]) -> _Lifetime:
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
