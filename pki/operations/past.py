"""What the past of a device's certificates and keys forbids, wherever another certificate is asked for."""

from datetime import timedelta
from typing import Final

from devices.models import Device
from pki.models import Certificate, CertificatePolicy, CertifiedKey
from pki.operations.refusals import by_registry
from pki.states import CertificateState, RevocationReason
from portal.core import clock
from portal.core.errors import RateLimited

# A key of these is not certified again, not even by staff: it was taken from its holder, or its holder is another.
TAKEN: Final = (
    RevocationReason.KEY_COMPROMISE,
    RevocationReason.PRIVILEGE_WITHDRAWN,
    RevocationReason.AFFILIATION_CHANGED,
)


MOST_LATELY: Final = 10  # that a device gets by itself in a day; our own policy
LATELY: Final = timedelta(days=1)


def require_good_key(device: Device, key: CertifiedKey, policy: CertificatePolicy) -> None:
    """Raises RulesBroken: `key-too-old` (the bank's policy), `key-on-hold`, `key-revoked`. One query."""
    if key.first_seen_at + timedelta(days=policy.key_lifetime_days) <= clock.now():
        raise by_registry("key-too-old")
    with_it = Certificate.objects.filter(key_fingerprint=key.fingerprint, device=device)
    for state, reason, apart in with_it.values_list("state", "revocation_reason", "held_apart"):
        if state == CertificateState.ON_HOLD and apart:
            raise by_registry("key-on-hold")
        if state == CertificateState.REVOKED and reason in TAKEN:
            raise by_registry("key-revoked")


def require_few_lately(device: Device) -> None:
    """Raises RateLimited `too-many-certificates`: each that is replaced stays on the CRL for a year. One query."""
    since = clock.now() - LATELY
    recent = Certificate.objects.filter(device=device, reserved_at__gt=since).order_by("-reserved_at")
    moments = list(recent.values_list("reserved_at", flat=True)[:MOST_LATELY])
    if len(moments) == MOST_LATELY:
        wait = int((moments[-1] - since).total_seconds()) + 1
        raise RateLimited(
            "This device got too many certificates lately.", code="too-many-certificates", retry_after=wait
        )
