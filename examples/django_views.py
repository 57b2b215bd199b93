"""The two ways to cache Django pages with BigCache: as HTML, and as a pickled object.

Both build on ``clients/python/big_cache.py``; copy it beside your views. ``render_page`` and
``load_page`` stand for your own slow code.
"""

from django.http import HttpRequest, HttpResponse

from big_cache import BigCache

from .pages import load_page, render_page

bigcache = BigCache("http://localhost:36379/cache/")

MONTH = "28d"


def dataset_as_html(request: HttpRequest, name_or_id: str) -> HttpResponse:
    """Caches the rendered page under its whole URL, the query included.

    Only for pages that look the same to every visitor.
    """
    key = request.get_full_path()
    cached_html = bigcache.get(key)
    # An empty page is a hit too, so compare with None.
    if cached_html is not None:
        return HttpResponse(cached_html)
    response = render_page(request, name_or_id)
    if response.status_code == 200:
        bigcache.set(key, response.content.decode(response.charset), timeout=MONTH)
    return response


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
