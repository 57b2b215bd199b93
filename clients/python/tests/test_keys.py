"""Which entry a key names: the same one as in the original's client, and never another key's."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
import requests
from django.test import RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from big_cache import BigCache
from original_client import OriginalClient

TRIPLET = re.compile("%([0-9A-Fa-f]{2})")
UNRESERVED = re.compile("[A-Za-z0-9._~-]")

# A "?" in a path is left out: the server reads %3F left of the query as the question mark itself.
segments = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/?\\"), min_size=1, max_size=12
).filter(lambda segment: segment not in (".", ".."))
paths = st.lists(segments, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
query_pieces = st.one_of(
    st.text("abcXYZ019-._~!$'()*,;:@/?=&+", max_size=6),
    st.sampled_from(["%20", "%2B", "%2b", "%C3%A9", "%c7%d1", "%26", "%3D", "%25"]),
)
queries = st.lists(query_pieces, max_size=8).map("".join)
full_paths = st.tuples(paths, queries).map(
    lambda parts: RequestFactory().get(quote(parts[0]), QUERY_STRING=parts[1]).get_full_path()
)


def normal_form(full_path: str) -> tuple[bytes, str]:
    """Full paths of one form are one page: RFC 3986, section 6.2.2, and the slashes at both ends."""
    path, _, query = full_path.partition("?")

    def normalise(triplet: re.Match[str]) -> str:
        character = chr(int(triplet[1], 16))
        return character if UNRESERVED.match(character) else triplet[0].upper()

    return unquote_to_bytes(path).strip(b"/"), TRIPLET.sub(normalise, query)


@pytest.fixture(scope="module")
def clients(server_url: str) -> Any:
    location = f"{server_url}/cache/"
    with BigCache(location) as ours:
        yield OriginalClient(location), ours


bounded = hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@bounded
@given(full_path=full_paths)
def test_both_clients_meet_the_same_entry(clients: Any, full_path: str) -> None:
    original, ours = clients
    ours.set(full_path, full_path)
    assert requests.get(original.url_of(full_path), timeout=5).json()["value"] == full_path
    ours.delete(full_path)
    assert requests.get(original.url_of(full_path), timeout=5).status_code == 404


@bounded
@given(one=full_paths, other=full_paths)
def test_two_different_pages_never_share_an_entry(clients: Any, one: str, other: str) -> None:
    _, ours = clients
    ours.set(one, "one")
    ours.set(other, "other")
    assert ours.get(other) == "other"
    is_same_page = normal_form(one) == normal_form(other)
    assert ours.get(one) == ("other" if is_same_page else "one")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/p?page=1", "/p?page=2"),
        ("/p?q=c%2B%2B", "/p?q=c++"),
        ("/p", "/p?a"),
        ("/p?a=%26", "/p?a=&"),
        ("/caf%C3%A9", "/cafe%CC%81"),
        ("/p?q=%C7%D1", "/p?q=%C7%D2"),
        ("/a%2520b", "/a%20b"),
    ],
)
def test_pages_that_look_alike_are_two(clients: Any, one: str, other: str) -> None:
    _, ours = clients
    ours.set(one, "one")
    ours.set(other, "other")
    assert (ours.get(one), ours.get(other)) == ("one", "other")
