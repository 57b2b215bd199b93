"""The views of the example, in a package as a user has them, against the real server."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import RequestFactory

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "django_views.py"
PAGES = """
from django.http import HttpResponse, HttpResponseRedirect

made = []


class Page:
    def __init__(self, name):
        self.name = name

    def serve(self, request):
        return HttpResponse(f"<p>{self.name} for {request.GET['who']}</p>")


def render_page(request, name):
    made.append(name)
    return HttpResponseRedirect("/") if name == "moved" else HttpResponse(f"<p>{name} é</p>")


def load_page(name):
    made.append(name)
    return Page(name)
"""
packages = itertools.count()
requested = RequestFactory()


@pytest.fixture()
def views(server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    package = tmp_path / f"shop{next(packages)}"
    package.mkdir()
    text = EXAMPLE.read_text()
    assert "http://localhost:36379" in text
    (package / "views.py").write_text(text.replace("http://localhost:36379", server_url))
    (package / "pages.py").write_text(PAGES)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(f"{package.name}.views")
    module.made = importlib.import_module(f"{package.name}.pages").made
    return module


def test_a_page_is_rendered_once_until_it_is_purged(views: Any) -> None:
    request = requested.get("/dataset/1/?page=2")
    for _ in range(3):
        answer = views.dataset_as_html(request, "1")
        assert (answer.status_code, answer.content) == (200, "<p>1 é</p>".encode())
    assert views.made == ["1"]
    views.bigcache.purge(tag="dataset-1")
    views.dataset_as_html(request, "1")
    assert views.made == ["1", "1"]


def test_a_redirect_is_passed_on_and_not_stored(views: Any) -> None:
    for view in (views.dataset_as_html, views.dataset_behind_nginx):
        for _ in range(2):
            answer = view(requested.get("/dataset/moved/"), "moved")
            assert (answer.status_code, answer["Location"]) == (302, "/")
    assert views.made == ["moved"] * 4


def test_nginx_finds_the_page_under_its_key(views: Any, server_url: str) -> None:
    request = requested.get("/dataset/3/?q=c%2B%2B")
    for _ in range(2):
        assert views.dataset_behind_nginx(request, "3").content == "<p>3 é</p>".encode()
    assert views.made == ["3"]
    url = f"{server_url}/v1/entries/pages/testserver/dataset/3/?q=c%2B%2B"
    answer = requests.get(url, timeout=5)
    assert answer.content == "<p>3 é</p>".encode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_only_a_get_is_stored_for_nginx(views: Any, server_url: str) -> None:
    assert views.dataset_behind_nginx(requested.post("/dataset/4/"), "4").status_code == 200
    url = f"{server_url}/v1/entries/pages/testserver/dataset/4/"
    assert requests.get(url, timeout=5).status_code == 404


def test_an_object_is_loaded_once_and_served_to_each(views: Any) -> None:
    for who in ("one", "two"):
        answer = views.dataset_as_object(requested.get(f"/dataset/5/?who={who}"), "5")
        assert answer.content == f"<p>5 for {who}</p>".encode()
    assert views.made == ["5"]
