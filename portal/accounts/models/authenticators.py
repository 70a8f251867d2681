"""Second factors of staff. The seed is sealed and backup codes are keyed digests: nothing here opens an account."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django_otp.models import Device as OtpDevice
from django_otp.models import ThrottlingMixin

from portal.accounts.models.people import User
from portal.core import clock, ids


class TotpAuthenticator(ThrottlingMixin, OtpDevice):  # type: ignore[misc]
    """An authenticator app (RFC 6238). `confirmed` after its first right code.

    last_step: the time step of the last accepted code; a code is good only for a later one, so it is good once.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="totp")
    seed_sealed = models.TextField()
    last_step = models.BigIntegerField(default=-1)
    created_at = models.DateTimeField(auto_now_add=True)

    @property
    def persistent_id(self) -> str:
        """How a session names it. django-otp reads the part behind the slash as a number."""
        return f"{self.model_label()}/{self.pk.int}"

    def get_throttle_factor(self) -> int:
        """django-otp asks; how long one waits after wrong codes is in `operations.second_factor`."""
        return 1

    def verify_token(self, token: str) -> bool:
        """Never: codes are checked by `operations.second_factor`, which counts and writes down what it refuses."""
        return False


class Passkey(OtpDevice):  # type: ignore[misc]
    """A WebAuthn credential of a member of staff, beside the authenticator app. `name` is theirs to choose.

    credential_id: as browsers spell it (base64url). public_key: in COSE's form. uses: what it last said itself; a
    lower number later is a copy's. synced: whether a service keeps it, too.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    credential_id = models.CharField(max_length=1364, unique=True)  # of 1023 bytes, WebAuthn 6.1.1
    public_key = models.BinaryField()
    uses = models.BigIntegerField(default=0)
    synced = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="passkey_uses_counted", condition=Q(uses__gte=0)),
        ]

    def __str__(self) -> str:
        return str(self.name)

    @property
    def persistent_id(self) -> str:
        """How a session names it. django-otp reads the part behind the slash as a number."""
        return f"{self.model_label()}/{self.pk.int}"

    def verify_token(self, token: str) -> bool:
        """Never: answers are checked by `operations.passkeys`."""
        return False


class PasskeyChallengeQuerySet(models.QuerySet["PasskeyChallenge"]):
    def open(self) -> Self:
        """Those that can still be answered."""
        return self.filter(expires_at__gt=clock.now())

    def over(self) -> Self:
        """All others: nobody answered in time."""
        return self.filter(expires_at__lte=clock.now())


class PasskeyChallenge(models.Model):
    """What one person's passkey was asked to sign, in one browser and for one purpose. It goes with the first answer.

    session: the digest of the browser's session, as in `PortalSession`.
    """

    challenge = models.CharField(max_length=43, primary_key=True)  # 32 random bytes in base64url
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=16)
    session = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    objects = PasskeyChallengeQuerySet.as_manager()


class BackupCode(models.Model):
    """One spare code. The digest is keyed and bound to the person; `used_at` ends it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="backup_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "digest"], name="backup_code_unique", condition=Q(used_at=None)),
        ]
