"""The inbox, the badge, the counts: what whom is shown, at how many queries."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine

from devices.operations.activation import unregister_device
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_staff,
)
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.api.tests.doors import at_most
from portal.approvals import queries
from portal.approvals.registry import _OPERATIONS, Arguments, Preview, registered
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import People, approve, ask, asked, reject, server_of
from portal.core.actor import Actor, Channel
from portal.core.errors import Forbidden, NotFound


def many(people: People, number: int) -> None:
    for _ in range(number):
        ask(signed_in(people.bea), make_device(people.ada, DeviceStatus.BLOCKED))


def test_staff_see_their_banks_requests_newest_first(people: People) -> None:
    many(people, 3)
    other = make_bank()
    ask(bank_actor(other), make_device(make_customer(other), DeviceStatus.BLOCKED))
    page = queries.request_page(signed_in(people.avi))
    times = [request.created_at for request in page.items]
    assert (len(times), times) == (3, sorted(times, reverse=True))


def test_pages_lead_on_and_back_at_one_query(people: People) -> None:
    many(people, 27)
    avi = signed_in(people.avi)
    with at_most(1):
        first = queries.request_page(avi)
    assert len(first.items) == 25
    with at_most(1):
        second = queries.request_page(avi, cursor=first.next_cursor)
        assert [request.maker_label for request in second.items] == [signed_in(people.bea).label] * 2
    assert second.next_cursor is None
    back = queries.request_page(avi, cursor=second.previous_cursor)
    assert back.items == first.items


def test_a_banks_server_sees_what_it_asked_for_itself(people: People) -> None:
    server, twin = server_of(people.bank), server_of(people.bank)
    own = ask(server, people.phone, operation=unregister_device)
    asked(people)
    assert list(queries.requests_visible_to(server)) == [own]
    assert queries.get_request(server, own.public_id) == own
    for actor in (twin, bank_actor(make_bank())):
        with pytest.raises(NotFound):
            queries.get_request(actor, own.public_id)


def test_nobody_else_looks_at_requests(people: People) -> None:
    request = asked(people)
    max_ = make_staff(people.bank, Role.ADMINISTRATOR, "Max")
    for actor in (signed_in(max_), customer_actor(people.ada), Actor.anonymous(Channel.ADIBA)):
        for request_id in (request.public_id, "APR_unknown"):
            with pytest.raises(Forbidden):
                queries.get_request(actor, request_id)
        with pytest.raises(Forbidden):
            queries.request_page(actor)
        assert (queries.open_about(actor, people.phone), queries.waiting_for(actor)) == ([], 0)


def test_states_are_filtered_and_counted_as_people_see_them(people: People) -> None:
    first = asked(people)
    reject(people.avi, first)
    approve(people.avi, asked(people))
    many(people, 2)
    avi = signed_in(people.avi)
    assert {state: number for state, number in queries.count_by_state(avi).items() if number} == {
        RequestState.PENDING: 2,
        RequestState.DONE: 1,
        RequestState.REJECTED: 1,
    }
    with time_machine.travel(first.expires_at + timedelta(hours=1)):
        many(people, 1)
        with at_most(1):
            counts = queries.count_by_state(avi)
        assert (counts[RequestState.PENDING], counts[RequestState.EXPIRED]) == (1, 2)
        for state, number in counts.items():
            page = queries.request_page(avi, state=state)
            assert [request.standing for request in page.items] == [state] * number
    assert len(queries.request_page(avi, state="nonsense").items) == 5


def test_what_waits_for_whom(people: People) -> None:
    request = asked(people)
    many(people, 1)
    dan = make_staff(people.bank, Role.APPROVER, "Dan")
    with at_most(1):
        assert queries.waiting_for(signed_in(dan)) == 2
    with at_most(0):
        assert queries.waiting_for(signed_in(people.bea)) == 0
    reject(people.avi, request)
    assert queries.waiting_for(signed_in(dan)) == queries.count_open(signed_in(people.bea)) == 1
    assert queries.waiting_for(signed_in(make_staff(make_bank(), Role.APPROVER, "Cem"))) == 0


def test_ones_own_requests_do_not_wait_for_oneself(people: People) -> None:
    asked(people)
    people.bea.role = Role.APPROVER
    people.bea.save()
    assert queries.waiting_for(signed_in(people.bea)) == 0


def test_an_objects_badge(people: People) -> None:
    request = asked(people)
    other = make_device(people.ada)
    bea = signed_in(people.bea)
    with at_most(1):
        assert queries.open_about(bea, people.phone) == [request]
    assert queries.open_about(bea, other) == []
    with time_machine.travel(request.expires_at):
        assert queries.open_about(bea, people.phone) == []
    reject(people.avi, request)
    assert queries.open_about(bea, people.phone) == []


def test_the_preview_counts_what_would_end_now(people: People) -> None:
    request = ask(server_of(people.bank), people.phone, operation=unregister_device)
    shown = queries.shown(signed_in(people.avi), request)
    assert shown.preview == [(0, "open sessions are ended"), (None, "Its identifier may be registered anew.")]
    assert shown.payload is not None
    approve(people.avi, request)
    request.refresh_from_db()
    assert queries.shown(signed_in(people.avi), request).preview == []


def test_the_preview_of_what_is_gone_says_so(people: People) -> None:
    request = asked(people)
    people.phone.delete()
    assert queries.shown(signed_in(people.avi), request).preview == [(None, "There is no such device.")]


@pytest.mark.parametrize("problem", [KeyError, TypeError, ValueError])
def test_a_preview_that_does_not_know_the_arguments_says_so(
    people: People, monkeypatch: pytest.MonkeyPatch, problem: type[Exception]
) -> None:
    def preview(actor: Actor, arguments: Arguments) -> Preview:
        raise problem("device_id")

    request = asked(people)
    known = registered("device.activate")
    assert known is not None
    monkeypatch.setitem(_OPERATIONS, "device.activate", replace(known, entry=replace(known.entry, preview=preview)))
    found = queries.shown(signed_in(people.avi), request)
    assert (found.preview, found.payload is not None) == ([(None, "What it would do cannot be shown.")], True)
