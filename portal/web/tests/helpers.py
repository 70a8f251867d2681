"""Browsers that are signed in, for tests of pages that want it. The sign-in itself has tests of its own."""

from django.contrib.auth import SESSION_KEY
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY

from portal.accounts.models import TotpAuthenticator, User
from portal.accounts.operations.second_factor import Factor
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.web.fresh import KEY as FRESH
from portal.web.half import BACKEND


def signed_in_client(
    user: User, *, second_factor: bool = True, fresh: bool = True, enforce_csrf_checks: bool = False
) -> Client:
    """A browser in which a member of staff is signed in, with the second factor proved just now.

    second_factor: whether it was proved at all. fresh: whether in the last five minutes.
    """
    client = Client(enforce_csrf_checks=enforce_csrf_checks)
    client.force_login(user, backend=BACKEND)
    authenticator, _ = TotpAuthenticator.objects.get_or_create(user=user, defaults={"name": "app", "confirmed": True})
    if second_factor:
        session = client.session
        assert SESSION_KEY in session
        session[DEVICE_ID_SESSION_KEY] = authenticator.persistent_id
        if fresh:
            session[FRESH] = {"person": str(user.pk), "at": clock.now().timestamp(), "kind": Factor.TOTP.value}
        session.save()
    return client


def refusals() -> list[tuple[str, str, str, str]]:
    """(event, code, actor id, object id) of every refusal in the audit log, oldest first."""
    rows = AuditEvent.objects.filter(outcome="refused").order_by("id")
    return list(rows.values_list("event", "code", "actor_id", "object_id"))
