"""Who comes in where: a bank's server to the bank's addresses, a merchant to the lookup, everybody else nowhere."""

from typing import Any

import pytest
from django.test import override_settings

from devices.models import Device
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_staff, make_token
from merchants.tests.factories import make_link
from portal.accounts.models import AccessToken, Application, User
from portal.accounts.roles import Role
from portal.api.peere.tests.linking import (
    LINK,
    LIST,
    LOOKUP,
    PHONE,
    PHRASE,
    UNLINK,
    fields,
    links,
    said,
    server_of,
    shop_of,
    turned_away,
)
from portal.api.tests.doors import Caller, nothing_written
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = pytest.mark.django_db

INVALID_TOKEN = 'Bearer error="invalid_token"'
NOT_SERVED = (403, "This API is not for this kind of caller.")
NO_SCOPE = (403, "The access token does not reach this.")
NO_DEVICE = (404, "Device not found in system")
BANKS = [LINK, UNLINK, LIST]


@pytest.fixture(autouse=True)
def linked(ada: User, phone: Device) -> None:
    make_link(phone, phrase=PHRASE)


def calls(ada: User) -> list[tuple[str, str, Any]]:
    """Every call, once about Ada's linked phone and once about nothing."""
    known, unknown = fields(ada.customer_number), fields("nobody", "device_nobodys", "Nobody's phrase")
    about: list[tuple[str, str, Any]] = [("POST", path, body) for path in (LINK, UNLINK) for body in (known, unknown)]
    about += [("GET", f"{LIST}?search={phrase}", None) for phrase in (PHRASE, "nothing")]
    return [*about, *(("POST", LOOKUP, {"deviceId": device}) for device in (PHONE, "device_nobodys"))]


def answers(caller: Caller, ada: User, *, code: str, who: str, paths: list[str]) -> set[tuple[int, bytes]]:
    """What a caller that is refused everywhere is told at these addresses."""
    found = set()
    for method, path, body in calls(ada):
        if path.partition("?")[0] in paths:
            with turned_away(code, who=who):
                answer = caller.send(method, path, body)
            said(answer)
            found.add((answer.status_code, answer.content))
    return found


def told(caller: Caller, ada: User, **values: Any) -> tuple[int, str]:
    """The one thing that such a caller is told, whether or not there is something."""
    [(status, body)] = answers(caller, ada, **values)
    assert b'"statusCode":%d' % status in body
    return status, body.decode().partition('"message":"')[2].removesuffix('"}')


def test_customers_and_staff_come_in_nowhere(ada: User, phone: Device) -> None:
    everywhere = [*BANKS, LOOKUP]
    for token in (make_token(user=ada), make_token(user=ada, device=phone)):
        assert told(Caller(token), ada, code="bearer-not-served", who="Ada", paths=everywhere) == NOT_SERVED
    for role in (Role.ADMINISTRATOR, Role.OPERATOR):
        member = make_staff(ada.bank, role)
        who = f"Bea ({member.username})"
        caller = Caller(make_token(user=member))
        assert told(caller, ada, code="bearer-not-served", who=who, paths=everywhere) == NOT_SERVED


def test_a_merchant_reaches_the_lookup_only(ada: User, shop: Caller) -> None:
    assert told(shop, ada, code="insufficient-scope", who="Shop", paths=BANKS) == NO_SCOPE
    assert shop.get(LIST)["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    assert shop.post(LOOKUP, {"deviceId": PHONE}).status_code == 200


def test_a_bank_s_server_reaches_everything_else(ada: User, server: Caller) -> None:
    assert told(server, ada, code="insufficient-scope", who="core banking", paths=[LOOKUP]) == NO_SCOPE
    assert server.get(LIST).json()["data"]["total"] == 1


def test_a_server_without_the_scope_reaches_nothing(ada: User) -> None:
    other = make_application(ada.bank, "bank", name="other", allowed_scopes=["devices:admin", "pki:sign"])
    caller = Caller(make_token(application=other))
    assert told(caller, ada, code="insufficient-scope", who="other", paths=[*BANKS, LOOKUP]) == NO_SCOPE


@pytest.mark.parametrize("kind", ["bank", "merchant"])
def test_a_client_comes_in_where_its_row_opens_the_dialect(kind: str, ada: User) -> None:
    client = make_application(ada.bank, kind, name="old", dialects=["asseco", "hyphen", "adiba"])
    caller = Caller(make_token(application=client))
    paths = BANKS if kind == "bank" else [LOOKUP]
    assert told(caller, ada, code="dialect-not-open", who="old", paths=paths)[0] == 403


@pytest.mark.parametrize("kind", ["bank", "merchant"])
def test_a_client_comes_in_from_its_networks(kind: str, ada: User) -> None:
    client = make_application(ada.bank, kind, name="far", allowed_ips=["203.0.113.0/24"])
    caller = Caller(make_token(application=client))
    assert told(caller, ada, code="ip-not-allowed", who="far", paths=[*BANKS, LOOKUP])[0] == 403


def test_without_a_token_the_challenge_names_no_error_and_nothing_is_written(ada: User) -> None:
    for method, path, body in calls(ada):
        with nothing_written():
            response = Caller().send(method, path, body)
        assert said(response) == (401, "A valid access token is required.")
        assert response["WWW-Authenticate"] == "Bearer"


def test_a_dead_token_opens_nothing(ada: User, server: Caller, shop: Caller) -> None:
    Application.objects.filter(kind="merchant").update(suspended_at=clock.now())
    AccessToken.objects.filter(application__kind="bank").update(expires=clock.now())
    for caller, who, method, path in [(shop, "Shop", "POST", LOOKUP), (server, "core banking", "GET", LIST)]:
        before = links()
        response = caller.send(method, path, {"deviceId": PHONE} if method == "POST" else None)
        assert said(response) == (401, "The access token is not valid.")
        assert response["WWW-Authenticate"] == INVALID_TOKEN
        event = AuditEvent.objects.latest("id")
        assert (event.event, event.actor_label) == ("token.refused", who)
        assert links() == before


def test_an_unknown_token_opens_nothing(ada: User) -> None:
    for method, path, body in calls(ada):
        response = Caller("not-a-token").send(method, path, body)
        assert (response.status_code, response["WWW-Authenticate"]) == (401, INVALID_TOKEN)


def test_a_token_in_query_or_body_is_none(ada: User) -> None:
    token = make_token(application=make_application(ada.bank, "bank"))
    assert Caller().get(f"{LIST}?oauth_token={token}").status_code == 401
    assert Caller().post(LINK, {**fields(ada.customer_number), "oauth_token": token}).status_code == 401


def test_another_bank_s_links_and_devices_are_as_unknown(ada: User) -> None:
    other = make_bank()
    bob = make_customer(other, "Bob")
    make_device(bob, external_id="device_of_bob")
    strange = server_of(other, "other core")
    for path in (LINK, UNLINK):
        bodies = [
            fields(bob.customer_number),  # Ada's phone
            fields(ada.customer_number, "device_of_bob"),  # Ada herself
            fields(ada.public_id, "device_of_bob"),
            fields(ada.customer_number),
            fields("nobody", "device_nobodys"),
        ]
        found = set()
        for body in bodies:
            with turned_away("not-found", who="other core"):
                answer = strange.post(path, body)
            assert said(answer) == NO_DEVICE
            found.add(answer.content)
        assert len(found) == 1
    for search in ("", f"?search={PHONE}", f"?search={PHRASE}", f"?search={ada.customer_number}"):
        assert strange.get(f"{LIST}{search}").json()["data"] == {"devices": [], "total": 0, "page": 1, "limit": 20}


def test_another_bank_s_link_changes_no_answer(ada: User) -> None:
    """Each bank may know a phone of the same id, and give the same phrase."""
    other = make_bank()
    bob = make_customer(other, "Bob", customer_number=ada.customer_number)
    make_device(bob, external_id=PHONE)
    strange, merchant = server_of(other, "other core"), shop_of(other, "Other shop")
    assert strange.post(LINK, fields(bob.customer_number)).status_code == 200
    found = merchant.post(LOOKUP, {"deviceId": PHONE}).json()["data"]
    assert (found["deviceId"], found["phrase"], found["bankId"]) == (PHONE, PHRASE, other.code)
    assert strange.post(UNLINK, fields(bob.customer_number)).status_code == 200
    assert said(merchant.post(LOOKUP, {"deviceId": PHONE})) == NO_DEVICE
    assert shop_of(ada.bank, "Hers").post(LOOKUP, {"deviceId": PHONE}).json()["data"]["bankId"] == ada.bank.code


# Methods, addresses, limits, failures.


@pytest.mark.parametrize(
    ("path", "offered", "wrong"),
    [
        (LINK, "POST, OPTIONS", "GET"),
        (UNLINK, "POST, OPTIONS", "DELETE"),
        (LIST, "GET, HEAD, OPTIONS", "POST"),
        (LOOKUP, "POST, OPTIONS", "GET"),
        (LOOKUP, "POST, OPTIONS", "BREW"),
    ],
)
def test_a_method_that_is_not_offered_is_told_which_ones_are(
    path: str, offered: str, wrong: str, server: Caller
) -> None:
    with turned_away("method-not-allowed"):
        response = server.send(wrong, path)
    assert said(response) == (405, "This address does not know the method.")
    assert response["Allow"] == offered
    with nothing_written():
        response = Caller().send("OPTIONS", path)
    assert (response.status_code, response["Allow"], response.content) == (204, offered, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/bank",
        "/v1/bank/",
        "/v1/customer",
        "/v1/customer/",
        "/v1/bank/nothing",
        "/v1/bank/devices",
        "/v1/bank/device/list",
        "/v1/customer/device/link",
        "/v1/bank/customer/device/lookup",
        "/v1/customer/device/lookup%0A",
        "/v1/bank/devices/list%0A",
        f"{LINK}/",
        f"{UNLINK}/",
        f"{LIST}/",
        f"{LOOKUP}/",
        f"{LOOKUP}/x",
    ],
)
def test_an_address_with_nothing_answers_404_in_the_envelope_and_never_redirects(path: str, server: Caller) -> None:
    for method in ("GET", "POST", "DELETE"):
        with turned_away("not-found"):
            response = server.send(method, path)
        assert said(response) == (404, "There is nothing at this address.")
    with nothing_written():
        assert said(Caller().get(path))[0] == 404


def test_over_the_limit_a_caller_is_told_when_to_come_back(server: Caller, shop: Caller) -> None:
    with override_settings(API_CALLS_PER_MINUTE=1):
        for caller, method, path, body in [
            (server, "GET", LIST, None),
            (shop, "POST", LOOKUP, {"deviceId": PHONE}),
        ]:
            seen = [caller.send(method, path, body) for _ in range(3)]
            late = next(answer for answer in seen if answer.status_code == 429)
            assert said(late)[0] == 429
            assert int(late["Retry-After"]) in range(1, 61)


def test_a_failure_of_ours_says_its_request_id_and_nothing_else(
    server: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*args: object, **kwargs: object) -> Any:
        raise ZeroDivisionError("/srv/secret/path")

    monkeypatch.setattr("portal.api.peere.views.list_links", failing)
    with nothing_written():
        response = server.get(LIST)
    status, message = said(response)
    assert (status, message.startswith("Something went wrong on our side. Request id: ")) == (500, True)
    assert message.endswith(response["X-Request-Id"])


def test_a_foreign_host_gets_the_envelope_too() -> None:
    for path in (LIST, LOOKUP):
        assert said(Caller(Host="elsewhere.example").get(path))[0] == 400


def test_every_answer_has_the_request_s_id(server: Caller, shop: Caller) -> None:
    answers = [server.get(LIST), server.get(LINK), shop.get(LIST), Caller().get(f"{LIST}/nothing")]
    assert len({answer["X-Request-Id"] for answer in answers}) == len(answers)
