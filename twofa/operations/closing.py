"""Requests that end without an answer: their device goes out of use, or nobody answered in time."""

from collections.abc import Sequence
from typing import Final

from django.db import transaction

from devices.models import Device
from portal.accounts.models import AccessToken
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from twofa.models import NewDeviceSignIn, TwoFactorRequest
from twofa.operations.telling import tell_application, tell_source
from twofa.states import RequestState

BATCH: Final = 200  # rows of one transaction
OUT_OF_USE: Final = "The device was taken out of use."


def count_open(devices: Sequence[Device]) -> int:
    """How many `cancel_open` would cancel, of these devices together. One query."""
    return TwoFactorRequest.objects.open().about(devices).count()


def cancel_open(actor: Actor, device: Device) -> int:
    """Cancel what the device asks and is asked, in the transaction that takes it out of use, its row locked.

    Whoever asks again holds the rows of both devices, so that nothing comes to this one any more. Sign-ins that it
    was asked about, or has approved, cannot be finished. Returns how many requests were cancelled.
    """
    cancelled = 0
    _end_sign_ins(device)
    requests = TwoFactorRequest.objects.open().about([device]).whole().order_by("pk")
    for request in requests.select_for_update(of=("self",)):  # asked again meanwhile: as it stands then
        if _close(request, RequestState.CANCELLED, OUT_OF_USE):
            details = {"kind": request.kind, "device": str(device.pk)}
            after = {"state": RequestState.CANCELLED.value}
            audit.record(actor, Event.TWO_FACTOR_CANCELLED, request, after=after, reason=OUT_OF_USE, details=details)
            if request.source_id != device.pk:
                tell_source(request)
            tell_application(request)
            cancelled += 1
    return cancelled


def _end_sign_ins(device: Device) -> None:
    unfinished = NewDeviceSignIn.objects.filter(request__destination=device, finished_at=None)
    waiting = unfinished.filter(request__state__in=[RequestState.PENDING, RequestState.APPROVED])
    AccessToken.objects.filter(pk__in=waiting.values("session_id")).end()


def expire_requests() -> int:
    """Close requests that nobody answered in time; the sweep's work, in small transactions until none is left.

    Not inside a transaction. Returns how many this call closed; a repeat finds none.
    """
    lapsed = TwoFactorRequest.objects.filter(state=RequestState.PENDING, expires_at__lte=clock.now())
    expired = 0
    while found := list(lapsed.select_related("application").order_by("pk")[:BATCH]):
        with transaction.atomic():
            expired += sum(_expire(request) for request in found)  # in one order, whoever locks them
    return expired


def _expire(request: TwoFactorRequest) -> bool:
    """Whether this call closed it."""
    if not _close(request, RequestState.EXPIRED, ""):
        return False
    actor = Actor.system("twofa.sweep", bank_id=request.bank_id)
    after = {"state": RequestState.EXPIRED.value}
    audit.record(actor, Event.TWO_FACTOR_EXPIRED, request, after=after, details={"kind": request.kind})
    tell_application(request)
    return True


def _close(request: TwoFactorRequest, state: RequestState, reason: str) -> bool:
    """Whether this call closed it: an answer, or another round, may have been faster."""
    now = clock.now()
    waiting = TwoFactorRequest.objects.filter(
        pk=request.pk, request_id=request.request_id, state=RequestState.PENDING
    )
    if not waiting.update(state=state, closed_at=now, close_reason=reason):
        return False
    request.state, request.closed_at, request.close_reason = state, now, reason
    return True
