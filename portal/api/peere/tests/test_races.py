"""Many callers at one moment, in real threads and over HTTP: one of them gets it."""

from collections import Counter

import pytest

from devices.tests.factories import make_bank, make_customer, make_device
from merchants.models import Link, LinkTotal, LookupHour, Phrase
from portal.api.peere.tests.linking import LINK, LIST, LOOKUP, PHONE, PHRASE, UNLINK, fields, said, server_of, shop_of
from portal.api.tests.doors import Caller
from portal.audit.models import AuditEvent
from portal.tests.threads import race

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
MANY = 64


def again(caller: Caller) -> Caller:
    """The same caller in another thread."""
    return Caller(**caller.headers)


def done() -> Counter[str]:
    return Counter(AuditEvent.objects.values_list("event", flat=True))


def test_one_device_for_sixty_four_customers_is_one_link_and_nobody_is_named() -> None:
    bank = make_bank()
    people = [make_customer(bank, f"Person {number}") for number in range(MANY)]
    make_device(people[0], external_id=PHONE)
    server = server_of(bank)

    def link(number: int) -> tuple[int, bytes]:
        body = fields(people[number].customer_number, phrase=f"Blue heron {number}")
        answer = again(server).post(LINK, body)
        return answer.status_code, answer.content

    outcomes = race(MANY, link)
    refusal = b'{"statusCode":409,"success":false,"message":"Device already linked to another customer"}'
    granted = b'{"statusCode":200,"success":true,"message":"Device linked successfully"}'
    assert Counter(outcomes) == {(200, granted): 1, (409, refusal): 63}
    winner = people[outcomes.index((200, granted))]
    assert [link.customer_id for link in Link.objects.open()] == [winner.pk]
    assert Phrase.objects.count() == LinkTotal.objects.get().total == 1
    assert done() == {"link.made": 1, "request.refused": 63}
    assert server.get(LIST).json()["data"]["total"] == 1


def test_one_phrase_for_sixty_four_customers_is_one_customer_s() -> None:
    bank = make_bank()
    people = [make_customer(bank, f"Person {number}") for number in range(MANY)]
    for number, person in enumerate(people):
        make_device(person, external_id=f"device_{number}")
    server = server_of(bank)

    def link(number: int) -> tuple[int, str]:
        answer = again(server).post(LINK, fields(people[number].customer_number, f"device_{number}"))
        return answer.status_code, answer.json()["message"]

    assert Counter(race(MANY, link)) == {
        (200, "Device linked successfully"): 1,
        (409, "Phrase already in use"): 63,
    }
    assert Phrase.objects.count() == LinkTotal.objects.get().total == Link.objects.count() == 1


def test_the_same_link_sixty_four_times_is_one_link_and_one_event() -> None:
    ada = make_customer(make_bank())
    make_device(ada, external_id=PHONE)
    server = server_of(ada.bank)
    for path in (LINK, UNLINK):

        def call(number: int, path: str = path) -> int:
            return int(again(server).post(path, fields(ada.customer_number)).status_code)

        expected = {200: MANY} if path == LINK else {200: 1, 404: MANY - 1}
        assert Counter(race(MANY, call)) == expected
        assert LinkTotal.objects.get().total == (1 if path == LINK else 0)
    assert done() == {"link.made": 1, "link.cut": 1, "request.refused": MANY - 1}


def test_of_misses_at_one_moment_as_many_pass_as_the_budget_has() -> None:
    ada = make_customer(make_bank())
    make_device(ada, external_id=PHONE)
    assert server_of(ada.bank).post(LINK, fields(ada.customer_number)).status_code == 200
    shop = shop_of(ada.bank, budget=10)

    def miss(number: int) -> int:
        answer = again(shop).post(LOOKUP, {"deviceId": f"{number}-nobody-{number}x"})
        return said(answer)[0]

    assert Counter(race(32, miss)) == {404: 10, 429: 22}
    assert LookupHour.objects.values_list("misses", "refused").get() == (10, 22)
    assert said(again(shop).post(LOOKUP, {"deviceId": PHONE}))[0] == 429
    assert PHRASE not in str(list(AuditEvent.objects.values()))
