"""Lookups by merchants and the bank's list of links: what they cost with a few links and with a great many.

The portal is called in this process as a web server does, behind all its middleware. The floor is a view behind the
same token check that reads one row. Calls take turns, so that all meet the same machine. Then: whether the time of a
refusal tells which one it is.
"""

import json
import logging
import time
from argparse import ArgumentParser
from collections.abc import Generator, Iterator, Mapping, Sequence
from random import SystemRandom
from typing import Any, Final

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from devices.states import DeviceStatus
from merchants.models import Link
from portal.accounts.models import ApplicationKind
from portal.api.auth import authenticate
from portal.api.dialect import respond
from portal.api.peere.wire import DIALECT
from portal.bench import own_database
from portal.bench._calling import Asked, Portal, Times, get, post
from portal.bench._links import Known, make_bank, make_client, make_devices, make_links, settle, unknown_ids
from portal.bench._refusals import areas, in_disorder
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as _ours

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

LOOKUP, LIST, FLOOR = "/v1/customer/device/lookup", "/v1/bank/devices/list", "/v1/customer/bench-floor"
FEW: Final = 1000  # links
WARM_UP: Final = 20
LIMIT: Final = 20  # links on a page
DEEP: Final = 20_000  # the page that is compared with the first
SORTS: Final = ("linkedAt", "customerId", "deviceId")
MOST_STATEMENTS, MOST_FOR_MANY, MOST_FOR_DEEP = 4, 1.2, 1.5
EVEN: Final = (0.45, 0.55)
LARGE: Final = ("merchants_link", "merchants_phrase", "devices_device", "accounts_user")
CACHE: Final = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10**7}}
}


@csrf_exempt
def floor(request: HttpRequest) -> HttpResponse:
    """What no implementation can do without: the token, one row, an answer."""
    authenticate(request, DIALECT, frozenset({"phrases:lookup"}))
    found = Link.objects.values_list("pk", flat=True).filter(pk=json.loads(request.body)["id"]).first()
    return respond(200, {"found": str(found)})


urlpatterns = [path(FLOOR[1:], floor), *_ours]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--links", type=int, default=100_000, help="how many there are (default: 100,000)")
    parser.add_argument("--calls", type=int, default=1000, help="lookups of each size (default: 1000)")
    parser.add_argument("--pages", type=int, default=200, help="pages of each kind (default: 200)")
    parser.add_argument("--refusals", type=int, default=1000, help="of each kind (default: 1000)")


def run(options: Mapping[str, object]) -> Iterator[str]:
    """Look up among a few links and among many, read the list, search it, be refused."""
    links, calls, pages, refusals = (int(str(options[name])) for name in ("links", "calls", "pages", "refusals"))
    logging.disable(logging.CRITICAL)
    more = {"CACHES": CACHE, "API_CALLS_PER_MINUTE": 10**9, "ALLOWED_HOSTS": ["127.0.0.1"], "DEMO": False}
    with own_database(), override_settings(ROOT_URLCONF=__name__, **more):
        bench = _Bench()
        few = yield from bench.measure(bench.load(min(FEW, links)), calls)
        started = time.perf_counter()
        known = bench.load(max(0, links - FEW)) or bench.known
        seconds = time.perf_counter() - started
        yield f"loaded and counted: {links:,} links in {seconds:.0f} s ({(links - FEW) / seconds:,.0f} a second)"
        many = yield from bench.measure(known, calls)
        ours, floors = (after / before for after, before in zip(many, few, strict=True))
        ratio = f"{ours:.2f} (at most {MOST_FOR_MANY}), the floor {floors:.2f}, against the floor {ours / floors:.2f}"
        yield f"lookup, {links:,} / {FEW:,} links: {ratio}"
        yield from bench.count_statements(known)
        yield from bench.read_list(links, pages)
        yield from bench.search(known, pages)
        yield from bench.refuse(refusals)


class _Bench:
    """A bank with its server and a merchant."""

    def __init__(self) -> None:
        self.portal, self.chance = Portal(), SystemRandom()
        self.bank = make_bank("bench")
        self.server = make_client(self.bank, ApplicationKind.BANK)
        self.shop = make_client(self.bank, ApplicationKind.MERCHANT)
        self.known: list[Known] = []

    def load(self, count: int) -> list[Known]:
        """So many links more; a thousand or two of them."""
        loaded = Link.objects.count()
        found = make_links(self.bank, count, loaded, every=max(1, count // FEW)) if count else []
        self.known += found
        return found

    def lookup(self, device_id: str) -> Asked:
        return post(LOOKUP, self.shop, {"deviceId": device_id})

    def measure(self, known: Sequence[Known], calls: int) -> Generator[str, None, tuple[float, float]]:
        """A generator that also returns the medians, ours and the floor's."""
        links = list(Link.objects.order_by("?").values_list("pk", flat=True)[:FEW])
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(calls + WARM_UP):
            asked = (
                self.lookup(self.chance.choice(known).device_id),
                post(FLOOR, self.shop, {"id": str(self.chance.choice(links))}),
            )
            for one, taken in zip(asked, times, strict=True):
                seconds, _ = self.portal.call(one)
                if turn >= WARM_UP:
                    taken.append(seconds)
        ours, least = Times(times[0]), Times(times[1])
        ratio = ours.p50 / least.p50
        yield f"among {Link.objects.count():,} links: lookup {ours}; token and one row {least}; ratio {ratio:.1f}"
        return ours.p50, least.p50

    def count_statements(self, known: Sequence[Known]) -> Iterator[str]:
        hit = self.portal.statements(self.lookup(known[-1].device_id))
        missed = self.portal.statements(self.lookup(unknown_ids(1)[0]), status=404)
        yield f"statements: {len(hit)} for a hit (at most {MOST_STATEMENTS}), {len(missed)} for a miss with its event"
        yield _plan("lookup", hit)

    def read_list(self, links: int, pages: int) -> Iterator[str]:
        deepest = max(1, min(DEEP, links // LIMIT))
        for sort in SORTS:
            times: tuple[list[float], list[float]] = ([], [])
            for turn in range(pages + WARM_UP):
                near = max(1, deepest - self.chance.randrange(min(deepest, 100)))
                for page, taken in zip((1, near), times, strict=True):
                    seconds, _ = self.portal.call(self.page(page, sort))
                    if turn >= WARM_UP:
                        taken.append(seconds)
            first, deep = Times(times[0]), Times(times[1])
            ratio = f"{deep.p50 / first.p50:.2f} (at most {MOST_FOR_DEEP})"
            yield f"list by {sort}: page 1 {first}; page {deepest:,} {deep}; ratio {ratio}"
            yield _plan(f"page {deepest:,}", self.portal.statements(self.page(deepest, sort)))

    def page(self, page: int, sort: str) -> Asked:
        return get(LIST, self.server, page=page, limit=LIMIT, sortBy=sort, sortOrder="asc")

    def search(self, known: Sequence[Known], times: int) -> Iterator[str]:
        one = known[len(known) // 2]
        wanted = {
            "device": one.device_id,
            "phrase": one.phrase.upper(),
            "number": one.number,
            "prefix": one.number[:-2],
        }
        for name, text in wanted.items():
            asked = get(LIST, self.server, search=text)
            taken = [self.portal.call(asked) for _ in range(times + WARM_UP)]
            found = json.loads(taken[-1][1])["data"]["total"]
            if not found:
                raise AssertionError(f"the search for a {name} found nothing")
            yield f"search by {name}: {found} found, {Times([seconds for seconds, _ in taken[WARM_UP:]])}"
            yield _plan(f"search by {name}", self.portal.statements(asked))

    def refuse(self, count: int) -> Iterator[str]:
        other = make_bank("other")
        ids = {
            "unknown": unknown_ids(count),
            "unlinked": make_devices(self.bank, count, DeviceStatus.ACTIVE, linked=False),
            "inactive": make_devices(self.bank, count, DeviceStatus.INACTIVE, linked=True),
            "other bank": make_devices(other, count, DeviceStatus.ACTIVE, linked=True),
        }
        settle()
        asked = {name: [self.lookup(one) for one in of] for name, of in ids.items()}
        taken = in_disorder(self.portal, asked, status=404)
        for name, area in areas(taken):
            low, high = EVEN
            times = Times(taken[name])
            yield f"refused, {name}: {times}; told from the others by time: {area:.3f} (between {low} and {high})"


def _plan(name: str, statements: Sequence[str]) -> str:
    """Which indexes PostgreSQL takes for these, and which large tables it reads from end to end."""
    if connection.vendor != "postgresql":
        return f"{name}: the plan is shown on PostgreSQL"
    nodes = [node for sql in statements if sql.startswith("SELECT") for node in _nodes(_explained(sql))]
    indexes = sorted({node["Index Name"] for node in nodes if "Index Name" in node})
    read = sorted({node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & set(LARGE))
    whole = f"reads all of {', '.join(read)}" if read else "no sequential scan"
    return f"{name}: {whole}; by {', '.join(indexes)}"


def _explained(sql: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        plan: dict[str, Any] = cursor.fetchone()[0][0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)
