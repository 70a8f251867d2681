"""Seeing and ending one's own sessions."""

import pytest
from django.contrib.auth import SESSION_KEY

from devices.tests.factories import make_bank, make_staff
from portal.accounts.models import PortalSession, User, session_digest
from portal.accounts.operations.portal_sessions import end_other_sessions, end_session, list_sessions, sign_out
from portal.accounts.sessions import SessionStore
from portal.accounts.tests.people import events, signed_in
from portal.core.actor import Actor, Channel
from portal.core.errors import NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def bea() -> User:
    return make_staff(make_bank(), username="bea")


def begin(user: User | None, ip: str = "192.0.2.1") -> str:
    store = SessionStore(ip=ip, user_agent="Firefox")
    if user is not None:
        store[SESSION_KEY] = str(user.pk)
    store.save()
    assert store.session_key is not None
    return store.session_key


def test_the_list_holds_ones_own_sessions_the_current_one_first(bea: User) -> None:
    cem = make_staff(bea.bank, name="Cem")
    current = begin(bea)
    begin(bea, "2001:db8::1")
    begin(cem)
    begin(None)
    found = list_sessions(user=bea, current_key=current)
    assert [(session.is_current, session.ip, session.user_agent) for session in found] == [
        (True, "192.0.2.1", "Firefox"),
        (False, "2001:db8::1", "Firefox"),
    ]
    assert found[0].id == session_digest(current)


def test_one_session_is_ended_and_written_down(bea: User) -> None:
    current, other = begin(bea), begin(bea)
    end_session(actor=signed_in(bea), session_id=session_digest(other))
    assert [session.id for session in list_sessions(user=bea, current_key=current)] == [session_digest(current)]
    assert events() == [("session.ended", "")]
    with pytest.raises(NotFound):
        end_session(actor=signed_in(bea), session_id=session_digest(other))
    assert events() == [("session.ended", "")]


@pytest.mark.parametrize("whose", ["somebody", "nobody"])
def test_a_session_that_is_not_ones_own_is_as_unknown(bea: User, whose: str) -> None:
    cem = make_staff(bea.bank, name="Cem")
    theirs = begin(cem if whose == "somebody" else None)
    for actor in (signed_in(bea), Actor.anonymous(Channel.PORTAL)):
        with pytest.raises(NotFound):
            end_session(actor=actor, session_id=session_digest(theirs))
    assert PortalSession.objects.count() == 1
    assert events() == []


def test_all_but_the_current_session_end(bea: User) -> None:
    cem = make_staff(bea.bank, name="Cem")
    current = begin(bea)
    for _ in range(3):
        begin(bea)
    begin(cem)
    assert end_other_sessions(actor=signed_in(bea), current_key=current) == 3
    assert end_other_sessions(actor=signed_in(bea), current_key=current) == 0
    assert PortalSession.objects.count() == 2
    assert events() == [("session.ended", "")]


def test_signing_out_twice_is_quiet(bea: User) -> None:
    current = begin(bea)
    sign_out(actor=signed_in(bea), current_key=current)
    sign_out(actor=signed_in(bea), current_key=current)
    sign_out(actor=signed_in(bea), current_key=None)
    assert PortalSession.objects.count() == 0
    assert events() == [("session.ended", "")]
