"""Three ways to cache Django pages with BigCache: as HTML, as HTML for nginx, as a pickled object.

All build on ``clients/python/big_cache.py``; copy it beside your views. ``render_page`` and
``load_page`` stand for your own slow code.
"""

from django.http import HttpRequest, HttpResponse

from big_cache import BigCache

from .pages import load_page, render_page

bigcache = BigCache("http://localhost:36379/cache/")

MONTH = "28d"
HTML = "text/html; charset=utf-8"


class NotStored(Exception):
    """Carries a response that is not for the cache, such as a redirect, out of ``get_or_set``."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(response.status_code)
        self.response = response


def html_of(request: HttpRequest, name_or_id: str) -> str:
    response = render_page(request, name_or_id)
    if response.status_code != 200:
        raise NotStored(response)
    return response.content.decode(response.charset)


def dataset_as_html(request: HttpRequest, name_or_id: str) -> HttpResponse:
    """Caches the rendered page under its whole URL, the query included.

    However many ask for it at once, it is rendered once. Only for pages that look the same to every
    visitor. When the dataset changes: ``bigcache.purge(tag=f"dataset-{name_or_id}")``.
    """
    try:
        html = bigcache.get_or_set(
            request.get_full_path(),
            lambda: html_of(request, name_or_id),
            timeout=MONTH,
            tags=[f"dataset-{name_or_id}"],
        )
    except NotStored as instead:
        return instead.response
    return HttpResponse(html)


def dataset_behind_nginx(request: HttpRequest, name_or_id: str) -> HttpResponse:
    """The same under the key that ``examples/nginx.conf`` reads, as the bytes that it shows."""
    if request.method != "GET":
        return render_page(request, name_or_id)
    try:
        html = bigcache.get_or_set(
            f"pages/{request.get_host()}{request.get_full_path()}",
            lambda: html_of(request, name_or_id),
            timeout=MONTH,
            tags=[f"dataset-{name_or_id}"],
            content_type=HTML,
        )
    except NotStored as instead:
        return instead.response
    return HttpResponse(html)


def dataset_as_object(request: HttpRequest, name_or_id: str) -> HttpResponse:
    """Caches what is slow to load and renders it anew for each visitor.

    The key is the same for reading and for writing. Pickled objects are for servers that only your own
    code can write to: whoever can write there can run code here.
    """
    key = f"dataset_page/{name_or_id}"
    page = bigcache.unpickle(key)
    if page is None:
        page = load_page(name_or_id)
        bigcache.pickle(key, page)
    return page.serve(request)
