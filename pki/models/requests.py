"""Certificate requests: what was asked for, and what became of it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from devices.models import Device
from pki.models.querysets import OfDeviceQuerySet
from pki.states import REQUEST_TRANSITIONS, RequestState, no_way
from portal.accounts.models import Bank, User
from portal.core import ids


class RequestSource(models.TextChoices):
    DEVICE = "device", "The device's own request"
    SERVER = "server", "Key made by the portal"
    EST = "est", "EST"
    ROTATION = "rotation", "Rotation"


class CertificateRequestQuerySet(OfDeviceQuerySet["CertificateRequest"]):
    prefix = "CSR"


class CertificateRequest(models.Model):
    """One request. Its proof of possession was checked before the row was written.

    der: the PKCS#10 request. key_sealed: of a key that the portal made: PKCS#8, sealed, until it was handed out once.
    asked: subject, names and usages as they were asked for, for people to look at. terms: what was allowed
    of it (days, uses, purposes), once somebody signed. maker: as in approval requests.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="certificate_requests")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="certificate_requests")
    source = models.CharField(max_length=10, choices=RequestSource)
    profile = models.CharField(max_length=32, default="device")
    state = models.CharField(max_length=10, choices=RequestState, default=RequestState.PENDING)
    der = models.BinaryField()
    key_fingerprint = models.CharField(max_length=64)
    key_algorithm = models.CharField(max_length=16)
    key_sealed = models.TextField(blank=True)
    bundle_taken_at = models.DateTimeField(null=True, blank=True)
    asked = models.JSONField(default=dict)
    terms = models.JSONField(default=dict)
    maker_kind = models.CharField(max_length=10)
    maker_id = models.CharField(max_length=64)
    maker_user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    maker_label = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    objects = CertificateRequestQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="csr_state_known", condition=Q(state__in=RequestState.values)),
            models.CheckConstraint(
                name="csr_maker_is_not_signer",
                condition=Q(decided_by__isnull=True)
                | Q(maker_user__isnull=True)
                | ~Q(decided_by=models.F("maker_user")),
            ),
            models.UniqueConstraint(
                fields=["device", "key_fingerprint"],
                name="csr_one_open_per_key",
                condition=Q(state__in=[RequestState.PENDING, RequestState.READY, RequestState.SIGNING]),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "-created_at", "-id"], name="csr_by_bank"),
            models.Index(fields=["bank", "state", "-created_at", "-id"], name="csr_by_state"),
            models.Index(fields=["device", "-created_at"], name="csr_by_device"),
            models.Index(fields=["key_fingerprint"], name="csr_by_key"),
            models.Index(fields=["created_at"], name="csr_keeping_key", condition=~Q(key_sealed="")),
            models.Index(fields=["expires_at"], name="csr_lapsing", condition=Q(state=RequestState.PENDING)),
            models.Index(fields=["decided_at"], name="csr_to_sign", condition=Q(state=RequestState.READY)),
        ]

    def __str__(self) -> str:
        return f"Request …{self.public_id[-4:]}"

    @property
    def public_id(self) -> str:
        """`CSR_…`, the id that callers see."""
        return ids.spell("CSR", self.pk)

    def move_to(self, state: RequestState) -> RequestState:
        """Go to a state; the only line that assigns one. Returns the state before. Raises InvalidState."""
        before = RequestState(self.state)
        if refusal := no_way(REQUEST_TRANSITIONS, before, state, what="request", code="request-state-not-valid"):
            raise refusal
        self.state = state
        return before
