"""The client that users of the original run, as far as it can be seen from outside.

Written from its observed behaviour, to be held against ours: a new connection for each call, keys
unquoted behind the location, every "cache" in the location replaced for pickles.
"""

from __future__ import annotations

import pickle
import time
from typing import Any

import requests


class OriginalClient:
    def __init__(self, location: str) -> None:
        self._location = location

    def url_of(self, key: str) -> str:
        return self._location + key

    def pickle_url_of(self, key: str) -> str:
        return self._location.replace("cache", "pickle") + key

    def get(self, key: str, version: Any = None) -> Any:
        answer = requests.get(self.url_of(f"{key}:{version}" if version else key))
        return answer.json()["value"] if answer.status_code == 200 else None

    def set(self, key: str, value: Any, expires: Any = None, timeout: Any = None, version: Any = None) -> None:
        lifetime: dict[str, Any] = {}
        if timeout:
            lifetime = {"duration": f"{timeout}s"}
        elif isinstance(expires, str):
            lifetime = {"duration": expires}
        elif expires:
            is_seconds = expires < 946_684_800
            lifetime = {"expire": int(time.time() + expires) if is_seconds else expires}
        url = self.url_of(f"{key}:{version}" if version else key)
        requests.post(url, json={"value": value, **lifetime}, timeout=2).raise_for_status()

    def delete(self, key: str) -> None:
        requests.delete(self.url_of(key))

    def pickle(self, key: str, page: Any) -> None:
        requests.post(self.pickle_url_of(key), data=pickle.dumps(page)).raise_for_status()

    def unpickle(self, key: str) -> Any:
        answer = requests.get(self.pickle_url_of(key))
        return pickle.loads(answer.content) if answer.status_code == 200 else None
