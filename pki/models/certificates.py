"""Certificates, from the reserved serial to their end."""

from datetime import datetime
from typing import ClassVar, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Right

from devices.models import Device
from pki.models.authorities import CertificateAuthority
from pki.models.querysets import OfDeviceQuerySet
from pki.models.requests import CertificateRequest
from pki.states import (
    CERTIFICATE_TRANSITIONS,
    LIVE,
    NEVER_ISSUED,
    CertificateState,
    RevocationReason,
    is_good,
    no_way,
)
from portal.accounts.models import Bank
from portal.core import clock, ids

SERIAL_TAIL: Final = Right("serial", 8)  # what a certificate is called by, and looked for


class CertificateQuerySet(OfDeviceQuerySet["Certificate"]):
    prefix = "CERT"

    def issued(self) -> Self:
        """Those that were really signed and stored."""
        return self.exclude(state__in=NEVER_ISSUED)

    def live(self) -> Self:
        """Those that are good at this moment."""
        return self.filter(state__in=LIVE, not_after__gt=clock.now())

    def current(self) -> Self:
        """Those that devices show at this moment: of two that are good, the newer."""
        return self.filter(state=CertificateState.ACTIVE, not_after__gt=clock.now())

    def of_device(self, device_id: UUID) -> Self:
        return self.filter(device_id=device_id)


class Certificate(models.Model):
    """A certificate, or a serial that was reserved for one.

    serial: 40 hex digits; the row is there before anything is signed (state SIGNING). key_fingerprint: SHA-256 of
    the SubjectPublicKeyInfo. renew_at: its own moment inside the renewal window. overlap_until: of the older one
    while two are good. replaces: the certificate that it took over from. proved_at: when the device first showed it.
    held_apart: staff put it on hold by itself; its device, switched on, does not release it.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="certificates")
    authority = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="certificates")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="certificates")
    request = models.ForeignKey(CertificateRequest, on_delete=models.PROTECT, null=True, related_name="certificates")
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")
    serial = models.CharField(max_length=40)
    profile = models.CharField(max_length=32)
    state = models.CharField(max_length=10, choices=CertificateState, default=CertificateState.SIGNING)
    key_fingerprint = models.CharField(max_length=64)
    key_algorithm = models.CharField(max_length=16)
    key_since = models.DateTimeField()
    der = models.BinaryField(null=True)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    renew_at = models.DateTimeField(null=True)
    overlap_until = models.DateTimeField(null=True)
    proved_at = models.DateTimeField(null=True)
    reserved_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revocation_reason = models.CharField(max_length=24, choices=RevocationReason, blank=True)
    held_apart = models.BooleanField(default=False)

    objects = CertificateQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="certificate_state_known", condition=Q(state__in=CertificateState.values)),
            models.UniqueConstraint(fields=["serial"], name="certificate_serial_unique"),
            models.UniqueConstraint(
                fields=["device"], name="certificate_one_active", condition=Q(state=CertificateState.ACTIVE)
            ),
            models.UniqueConstraint(
                fields=["device"], name="certificate_one_overlap", condition=Q(state=CertificateState.OVERLAP)
            ),
            models.CheckConstraint(
                name="certificate_issued_is_whole",
                condition=Q(
                    state__in=[CertificateState.SIGNING, CertificateState.ABORTED],
                    der__isnull=True,
                    issued_at__isnull=True,
                )
                | (
                    ~Q(state__in=[CertificateState.SIGNING, CertificateState.ABORTED])
                    & Q(der__isnull=False, issued_at__isnull=False)
                ),
            ),
            models.CheckConstraint(
                name="certificate_revoked_says_why",
                condition=~Q(state__in=[CertificateState.REVOKED, CertificateState.ON_HOLD])
                | (Q(revoked_at__isnull=False) & ~Q(revocation_reason="")),
            ),
            models.CheckConstraint(
                name="certificate_overlap_ends",
                condition=~Q(state=CertificateState.OVERLAP) | Q(overlap_until__isnull=False),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "-issued_at", "-id"], name="certificate_by_bank"),
            models.Index(fields=["bank", "not_after", "id"], name="certificate_by_expiry"),
            models.Index(fields=["bank", "state", "-issued_at", "-id"], name="certificate_by_state"),
            models.Index(fields=["device", "-issued_at"], name="certificate_by_device"),
            models.Index(
                fields=["authority", "serial"],
                name="certificate_on_crl",
                condition=Q(state__in=[CertificateState.REVOKED, CertificateState.ON_HOLD]),
            ),
            models.Index(
                fields=["renew_at"], name="certificate_to_renew", condition=Q(state=CertificateState.ACTIVE)
            ),
            models.Index(
                fields=["overlap_until"],
                name="certificate_overlap_over",
                condition=Q(state=CertificateState.OVERLAP),
            ),
            models.Index(
                fields=["reserved_at"], name="certificate_unsettled", condition=Q(state=CertificateState.SIGNING)
            ),
            models.Index("bank", SERIAL_TAIL, name="certificate_by_serial_tail"),
            models.Index(
                fields=["bank", "not_after"], name="certificate_live_by_expiry", condition=Q(state__in=LIVE)
            ),
            models.Index(fields=["key_fingerprint"], name="certificate_by_key"),
            models.Index(
                fields=["not_after"],
                name="certificate_running_out",
                condition=Q(state__in=[*LIVE, CertificateState.ON_HOLD]),
            ),
        ]

    def __str__(self) -> str:
        return f"Certificate …{self.serial[-8:]}"

    @property
    def public_id(self) -> str:
        """`CERT_…`, the id that callers see."""
        return ids.spell("CERT", self.pk)

    @property
    def serial_colons(self) -> str:
        """`01:02:…`: upper-case hex octets, as Adiba's clients read it."""
        digits = self.serial.upper()
        return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))

    def is_live(self, now: datetime) -> bool:
        """Whether it is good at a moment; on the row as `.live()` in a query."""
        return is_good(self.state, self.not_after, now)

    def move_to(self, state: CertificateState) -> CertificateState:
        """Go to a state; the only line that assigns one. Returns the state before. Raises InvalidState."""
        before = CertificateState(self.state)
        refusal = no_way(
            CERTIFICATE_TRANSITIONS, before, state, what="certificate", code="certificate-state-not-valid"
        )
        if refusal:
            raise refusal
        self.state = state
        return before
