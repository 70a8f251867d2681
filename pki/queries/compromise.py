"""Everything that hangs on one key, in any bank: what ends when it is compromised."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from devices.models import Device, DeviceKey
from pki.models import BlockedKey, Certificate, CertificateRequest
from pki.states import ENDABLE, REQUEST_OPEN, CertificateState
from portal.accounts.models import AccessToken


@dataclass(frozen=True)
class KeyUse:
    """Where a key is used.

    fingerprint: SHA-256 of its SubjectPublicKeyInfo. device_id: of the certificate at hand.
    """

    fingerprint: str
    device_id: UUID

    def devices(self) -> QuerySet[Device]:
        """Those that ever had a certificate or request with the key, or approve with it; and the one at hand."""
        ours = Q(pk=self.device_id) | Q(certified_keys__fingerprint=self.fingerprint)
        for related in ("certificates__key_fingerprint", "certificate_requests__key_fingerprint"):
            ours |= Q(pk__in=Device.objects.filter(**{related: self.fingerprint}).values("pk"))
        ours |= Q(pk__in=DeviceKey.objects.filter(fingerprint=self.fingerprint).values("device_id"))
        return Device.objects.filter(pk__in=Device.objects.filter(ours).values("pk"))

    def certificates(self) -> QuerySet[Certificate]:
        """Those that end."""
        return Certificate.objects.filter(key_fingerprint=self.fingerprint, state__in=ENDABLE)

    def being_signed(self) -> QuerySet[Certificate]:
        return Certificate.objects.filter(key_fingerprint=self.fingerprint, state=CertificateState.SIGNING)

    def requests(self) -> QuerySet[CertificateRequest]:
        """Those that nobody may sign any more."""
        return CertificateRequest.objects.filter(key_fingerprint=self.fingerprint, state__in=REQUEST_OPEN)

    def approval_keys(self) -> QuerySet[DeviceKey]:
        return DeviceKey.objects.filter(fingerprint=self.fingerprint, retired_at=None)

    def sessions(self) -> QuerySet[AccessToken]:
        return AccessToken.objects.live().filter(device__in=self.devices())

    def is_blocked(self) -> bool:
        return BlockedKey.objects.has(self.fingerprint)

    def lines(self) -> list[tuple[int, str]]:
        """What would end now, counted, in words. Certificates always, the rest where there is any."""
        counted = (
            (self.certificates().count(), "certificate is revoked", "certificates are revoked"),
            (self.requests().count(), "certificate request is rejected", "certificate requests are rejected"),
            (self.approval_keys().count(), "approval key is retired", "approval keys are retired"),
            (self.sessions().count(), "open session is ended", "open sessions are ended"),
        )
        return [
            (count, one if count == 1 else many)
            for position, (count, one, many) in enumerate(counted)
            if count or not position
        ]
