"""The dialects there are, each with the place where its addresses hang. A new client is one more line."""

from dataclasses import dataclass

from django.urls import URLResolver, include, path

from portal.api.adiba.wire import DIALECT as ADIBA
from portal.api.asseco.wire import DIALECT as ASSECO
from portal.api.dialect import Dialect
from portal.api.est.wire import DIALECT as EST
from portal.api.hyphen.wire import DIALECT as HYPHEN
from portal.api.peere.wire import DIALECT as PEERE
from portal.api.spid.wire import DIALECT as SPID


@dataclass(frozen=True)
class Mounted:
    """A dialect and its addresses.

    mount: without the leading slash. urls: the module that lists them. has_schema: false for a standard's own wire,
    which is no JSON: it has no OpenAPI document. beside: other places of the same dialect, with their addresses.
    """

    dialect: Dialect
    mount: str
    urls: str
    has_schema: bool = True
    beside: tuple[tuple[str, str], ...] = ()

    def patterns(self) -> list[URLResolver]:
        return [path(mount, include(urls)) for mount, urls in ((self.mount, self.urls), *self.beside)]

    def __hash__(self) -> int:
        return hash(self.dialect.name)


# In this order: two dialects share /v1/device, and what nobody knows there answers in Asseco's form.
MOUNTED = (
    Mounted(ADIBA, "v1/device/", "portal.api.adiba.urls"),
    Mounted(ASSECO, "v1/device/", "portal.api.asseco.urls"),
    Mounted(HYPHEN, "device/v1/", "portal.api.hyphen.urls", beside=(("auth/v1/", "portal.api.hyphen.auth_urls"),)),
    Mounted(SPID, "api/2/", "portal.api.spid.urls"),
    Mounted(
        PEERE,
        "v1/bank/",
        "portal.api.peere.bank_urls",
        beside=(("v1/customer/", "portal.api.peere.customer_urls"),),
    ),
    Mounted(EST, ".well-known/est/", "portal.api.est.urls", has_schema=False),
)


def dialect_of_path(requested: str) -> Dialect | None:
    """The dialect in whose form a path answers, whether or not something is there."""
    return next((mounted.dialect for mounted in MOUNTED if mounted.dialect.paths.fullmatch(requested)), None)


def mounted_as(name: str) -> Mounted | None:
    return next((mounted for mounted in MOUNTED if mounted.dialect.name == name), None)
