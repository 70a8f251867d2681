"""Deletes what nobody needs any more, a bounded number of rows at a time."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, Model, OuterRef, QuerySet

from devices.models import PinReset
from merchants.models import Link, LookupHour, Sighting
from portal.accounts.models import AccessToken, Grant, PasskeyChallenge, PortalSession, RefreshToken
from portal.core import clock, ids
from portal.idempotency import KEPT as ANSWERS_KEPT
from portal.models import JobSlot, StoredAnswer, WorkerBeat
from portal.outbox.models import Message, MessageState
from twofa.models import BrowserSignIn, NewDeviceSignIn, SignInChallenge

BATCH = 500  # rows in one transaction
BATCHES = 20  # of one kind in one run; the next run goes on
SLOTS_KEPT = timedelta(days=1)
WORKERS_KEPT = timedelta(days=7)
ORPHANS_KEPT = timedelta(days=1)
TOKENS_KEPT = timedelta(days=30)  # after they expired, for those who look into an incident
SIGN_INS_KEPT = timedelta(days=1)
RESETS_KEPT = timedelta(days=30)  # for those who look into a complaint
# Until a customer's complaint about a message has come: afterwards its recipient is personal data without a use.
MESSAGES_KEPT = timedelta(days=90)  # after they were sent or given up
# Thirteen months: a customer who asks which merchants saw them, and a chart that is compared with the year before.
SIGHTINGS_KEPT = timedelta(days=400)


def clean() -> dict[str, int]:
    """Delete what is older than its span. Returns the rows deleted by kind; a repeat finds none."""
    counts: dict[str, int] = {}
    for name, rows in _old():
        counts[name] = counts.get(name, 0) + _delete(rows)
    return counts


def _old() -> Iterator[tuple[str, QuerySet[Model]]]:
    now = clock.now()
    yield "slots", JobSlot.objects.filter(claimed_at__lt=now - SLOTS_KEPT)
    yield "answers", StoredAnswer.objects.filter(created_at__lt=now - ANSWERS_KEPT)
    yield "workers", WorkerBeat.objects.filter(seen_at__lt=now - WORKERS_KEPT)
    yield "sessions", PortalSession.objects.over()
    yield "passkey challenges", PasskeyChallenge.objects.over()
    yield "messages", Message.objects.filter(state=MessageState.SENT, sent_at__lt=now - MESSAGES_KEPT)
    yield "messages", Message.objects.filter(state=MessageState.FAILED, next_try_at__lt=now - MESSAGES_KEPT)
    # An open one whose hour is over is as dead as a closed one; nobody marks those that are never asked for again.
    yield "pin resets", PinReset.objects.filter(expires_at__lt=now - RESETS_KEPT)
    # Their ids begin with their time, so that the oldest are found without an index of their own.
    oldest = ids.uuid7(at_ms=int((now - SIGHTINGS_KEPT).timestamp() * 1000))
    yield "sightings", Sighting.objects.filter(pk__lt=oldest)
    links = Link.objects.filter(ended_at__lt=now - SIGHTINGS_KEPT)
    yield "links", links.exclude(Exists(Sighting.objects.filter(link=OuterRef("pk"))))
    yield "lookup hours", LookupHour.objects.filter(hour__lt=now - SIGHTINGS_KEPT)
    # What a sign-in left behind: over after minutes, and personal data without a use.
    yield "sign-ins", SignInChallenge.objects.filter(expires_at__lt=now - SIGN_INS_KEPT)
    yield "sign-ins", BrowserSignIn.objects.filter(expires_at__lt=now - SIGN_INS_KEPT)
    yield "sign-ins", Grant.objects.filter(expires__lt=now - SIGN_INS_KEPT)
    yield "sign-ins", NewDeviceSignIn.objects.filter(request__cap_at__lt=now - SIGN_INS_KEPT)
    # A used refresh token is kept while it could come back: that is how a stolen one is noticed (RFC 9700 4.14).
    reused = now - timedelta(seconds=int(str(settings.OAUTH2_PROVIDER["REFRESH_TOKEN_EXPIRE_SECONDS"])))
    yield "refresh tokens", RefreshToken.objects.filter(revoked__lt=reused)
    yield "refresh tokens", RefreshToken.objects.filter(revoked=None, access_token__expires__lt=reused)
    orphaned = RefreshToken.objects.filter(revoked=None, access_token=None)  # it has nothing to renew
    yield "refresh tokens", orphaned.filter(updated__lt=now - ORPHANS_KEPT)
    # An access token that can still be renewed stays: its row carries the scope and the device of the next one.
    expired = AccessToken.objects.filter(expires__lt=now - TOKENS_KEPT)
    yield "access tokens", expired.filter(refresh_token=None)
    yield "access tokens", expired.filter(refresh_token__revoked__isnull=False)


def _delete(rows: QuerySet[Model]) -> int:
    deleted = 0
    for _ in range(BATCHES):
        keys = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if keys:
            _, by_table = rows.model._default_manager.filter(pk__in=keys).delete()
            deleted += by_table.get(rows.model._meta.label, 0)
        if len(keys) < BATCH:
            break
    return deleted
