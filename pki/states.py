"""The words of the certificate authority, and which states may follow which."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import TextChoices

from portal.core.errors import InvalidState


class CaRole(TextChoices):
    ROOT = "root", "Root"
    ISSUING = "issuing", "Issuing"


class CaState(TextChoices):
    ACTIVE = "ACTIVE", "Active"  # issues and revokes
    RETIRING = "RETIRING", "Revokes only"  # another took its place; it answers for what it issued
    ENDED = "ENDED", "Ended"  # everything it issued has run out


CA_TRANSITIONS: Mapping[str, frozenset[str]] = {
    CaState.ACTIVE: frozenset({CaState.RETIRING}),
    CaState.RETIRING: frozenset({CaState.ENDED}),
    CaState.ENDED: frozenset(),
}


class RollOverState(TextChoices):
    WAITING = "WAITING", "In progress"  # a worker makes the new authority; the sweep tries again what did not work
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Given up"  # staff look why and ask anew


ROLL_OVER_TRANSITIONS: Mapping[str, frozenset[str]] = {
    RollOverState.WAITING: frozenset({RollOverState.DONE, RollOverState.FAILED}),
    RollOverState.DONE: frozenset(),
    RollOverState.FAILED: frozenset(),
}


class RequestState(TextChoices):
    PENDING = "PENDING", "Waiting to be signed"  # staff or the bank's server sign or reject
    READY = "READY", "Allowed"  # a worker signs it, by the terms that were allowed
    SIGNING = "SIGNING", "Being signed"  # a serial is reserved; the sweep settles what stays here
    ISSUED = "ISSUED", "Issued"
    REJECTED = "REJECTED", "Rejected"
    EXPIRED = "EXPIRED", "Expired"  # nobody signed in time


REQUEST_TRANSITIONS: Mapping[str, frozenset[str]] = {
    RequestState.PENDING: frozenset(
        {RequestState.READY, RequestState.SIGNING, RequestState.REJECTED, RequestState.EXPIRED}
    ),
    RequestState.READY: frozenset({RequestState.SIGNING, RequestState.PENDING, RequestState.REJECTED}),
    RequestState.SIGNING: frozenset(
        {RequestState.PENDING, RequestState.READY, RequestState.ISSUED, RequestState.REJECTED}
    ),
    RequestState.ISSUED: frozenset(),
    RequestState.REJECTED: frozenset(),
    RequestState.EXPIRED: frozenset(),
}


REQUEST_OPEN = (RequestState.PENDING, RequestState.READY, RequestState.SIGNING)


class CertificateState(TextChoices):
    SIGNING = "SIGNING", "Being signed"  # the serial is reserved before anything is signed; the sweep settles it
    ABORTED = "ABORTED", "Never issued"  # the serial is used up, and nothing is ever good under it
    ACTIVE = "ACTIVE", "Valid"  # one per device
    OVERLAP = "OVERLAP", "Valid until the new one is proved"  # the older of two, for a bounded time; one per device
    ON_HOLD = "ON_HOLD", "On hold"  # revoked with certificateHold; released with the device
    REVOKED = "REVOKED", "Revoked"
    EXPIRED = "EXPIRED", "Expired"  # the sweep marks what ran out


CERTIFICATE_TRANSITIONS: Mapping[str, frozenset[str]] = {
    CertificateState.SIGNING: frozenset({CertificateState.ABORTED, CertificateState.ACTIVE}),
    CertificateState.ABORTED: frozenset(),
    CertificateState.ACTIVE: frozenset(
        {
            CertificateState.OVERLAP,
            CertificateState.ON_HOLD,
            CertificateState.REVOKED,
            CertificateState.EXPIRED,
        }
    ),
    CertificateState.OVERLAP: frozenset(
        {
            CertificateState.ACTIVE,
            CertificateState.ON_HOLD,
            CertificateState.REVOKED,
            CertificateState.EXPIRED,
        }
    ),
    CertificateState.ON_HOLD: frozenset(
        {
            CertificateState.ACTIVE,
            CertificateState.OVERLAP,  # it was the older of two when it was held
            CertificateState.REVOKED,
            CertificateState.EXPIRED,
        }
    ),
    CertificateState.REVOKED: frozenset(),
    CertificateState.EXPIRED: frozenset(),
}

LIVE = (CertificateState.ACTIVE, CertificateState.OVERLAP)
ENDABLE = (*LIVE, CertificateState.ON_HOLD)  # those that can be revoked
ANSWERED = (*ENDABLE, CertificateState.REVOKED)  # those that the world is told about until they run out
NEVER_ISSUED = (CertificateState.SIGNING, CertificateState.ABORTED)  # nothing was given out under the serial


def is_good(state: str, not_after: datetime, now: datetime) -> bool:
    """Whether a certificate is good now. One that ran out is not, also before the sweep has marked it."""
    return state in LIVE and now < not_after


class RevocationReason(TextChoices):
    """RFC 5280 5.3.1, those that an end-entity certificate of ours can have."""

    UNSPECIFIED = "unspecified", "Unspecified"
    KEY_COMPROMISE = "key-compromise", "Key compromise"
    AFFILIATION_CHANGED = "affiliation-changed", "Affiliation changed"
    SUPERSEDED = "superseded", "Superseded"
    CESSATION_OF_OPERATION = "cessation-of-operation", "Cessation of operation"
    PRIVILEGE_WITHDRAWN = "privilege-withdrawn", "Privilege withdrawn"
    CERTIFICATE_HOLD = "certificate-hold", "On hold"


class RotationState(TextChoices):
    PLANNED = "PLANNED", "Planned"  # its slot has come, or somebody asked; a batch takes it
    SIGNING = "SIGNING", "Being signed"  # a batch has claimed it; when the claim runs out the next one takes it
    AWAITING_DEVICE = "AWAITING_DEVICE", "Waiting for the device"  # the key is too old: the device sends a new one
    OVERLAP = "OVERLAP", "Both valid"  # until the device proves the new certificate, or the overlap ends
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Given up"  # staff look at it; the ledger says why
    CANCELLED = "CANCELLED", "Cancelled"  # the certificate was revoked or held meanwhile


ROTATION_TRANSITIONS: Mapping[str, frozenset[str]] = {
    RotationState.PLANNED: frozenset(
        {RotationState.SIGNING, RotationState.OVERLAP, RotationState.FAILED, RotationState.CANCELLED}
    ),
    RotationState.SIGNING: frozenset(
        {
            RotationState.PLANNED,
            RotationState.AWAITING_DEVICE,
            RotationState.OVERLAP,
            RotationState.FAILED,
            RotationState.CANCELLED,
        }
    ),
    RotationState.AWAITING_DEVICE: frozenset(
        {RotationState.SIGNING, RotationState.OVERLAP, RotationState.FAILED, RotationState.CANCELLED}
    ),
    RotationState.OVERLAP: frozenset({RotationState.DONE, RotationState.CANCELLED}),
    RotationState.DONE: frozenset(),
    RotationState.FAILED: frozenset(),
    RotationState.CANCELLED: frozenset(),
}

ROTATION_OPEN = (
    RotationState.PLANNED,
    RotationState.SIGNING,
    RotationState.AWAITING_DEVICE,
    RotationState.OVERLAP,
)


def states_before(transitions: Mapping[str, frozenset[str]], after: str) -> tuple[str, ...]:
    """The states that may become this one."""
    return tuple(before for before, following in transitions.items() if after in following)


def no_way(
    transitions: Mapping[str, frozenset[str]], before: TextChoices, after: TextChoices, *, what: str, code: str
) -> InvalidState | None:
    """Why `what` cannot go from one state to another; None where the transitions let it."""
    if after in transitions[before]:
        return None
    return InvalidState(
        f"A {what} that is “{before.label.lower()}” cannot become “{after.label.lower()}”.",
        code=code,
        state=str(before.value),
    )
