"""Every form of the portal: which want a fresh second factor, which need none and why."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.urls import URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.web.tests.test_step_up import ASKS, at_home, name_of

pytestmark = pytest.mark.django_db

DUMMY = {"uuid": str(uuid4()), "path": str(uuid4()), "str": "nothing", "slug": "nothing"}
# Each wants a code of its own whenever it is sent, once it is known that one may send it at all.
EACH_TIME = {
    "approvals:decide",
    "devices:transfer-decide",
    "pki:request-decide",
}
# What needs none, and why.
HARMLESS = {
    "web:sign-in": "nobody is in yet",
    "web:sign-in-code": "nobody is in yet",
    "web:sign-in-passkey": "nobody is in yet",
    "web:enrol": "nobody is in yet",
    "web:sign-out": "closes",
    "web:theme": "a colour",
    "web:sessions-end-others": "closes",
    "web:session-end": "closes",
    "web:sessions-end-all": "closes",
    "admin:login": "leads to the one sign-in",
    "web:outbox-message": "sends the same message to the same reader once more",
    "approvals:withdraw": "takes back what one asked for oneself",
    "devices:bulk": "tries and changes nothing",
    "devices:issued-import-new": "reads a file and issues nothing",
    "devices:issued-import-discard": "forgets a file",
    "links:list": "a search, sent so that what is sought stands in no address",
    "pki:publish": "says sooner what is true already",
    "twofa:evidence": "a download, which is written down",
}
PORTAL = {"web", "approvals", "audit", "devices", "links", "merchants", "pki", "twofa", "customers", "admin"}


def routes(resolver: URLResolver, namespaces: tuple[str, ...] = (), before: str = "/") -> Iterator[tuple[str, str]]:
    """(name, an address) of every page of the portal, with objects that do not exist."""
    for entry in resolver.url_patterns:
        path = before + re.sub(r"<(\w+):\w+>", lambda found: DUMMY[found[1]], str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from routes(entry, (*namespaces, entry.namespace) if entry.namespace else namespaces, path)
        elif isinstance(entry.pattern, RoutePattern) and namespaces and namespaces[0] in PORTAL:
            yield f"{namespaces[0]}:{entry.name}", path


@pytest.fixture
def bea() -> User:
    return make_staff(make_bank(), username="bea")


def test_every_form_asks_first_or_is_known_to_need_none(bea: User) -> None:
    administrator = make_staff(bea.bank, Role.ADMINISTRATOR, username="dan")
    asks: set[str] = set()
    others: set[str] = set()
    for name, path in routes(get_resolver()):
        answer = at_home(administrator, fresh=False).post(path, {"reason": "R", "action": "drop_secret"})
        if answer.status_code != 405:
            (asks if name_of(answer) == ASKS else others).add(name)
    assert others == EACH_TIME | set(HARMLESS)
    assert len(asks) >= 25
    assert {"devices:deactivate", "devices:bulk-take", "twofa:provider", "admin:accounts_user_change"} <= asks
    assert {"web:backup-codes", "web:api-token", "web:passkey-remove", "web:staff-reset"} <= asks
    done = set(AuditEvent.objects.values_list("event", flat=True))
    assert done <= {"session.ended", "request.refused", "sign-in.refused"}


def test_looking_asks_for_nothing(bea: User) -> None:
    client = at_home(make_staff(bea.bank, Role.ADMINISTRATOR, username="dan"), fresh=False)
    for path in (
        "/account",
        "/staff",
        "/two-factor/clients",
        "/two-factor/providers",
        "/admin/",
        "/admin/accounts/user/",
    ):
        assert client.get(path).status_code == 200, path
