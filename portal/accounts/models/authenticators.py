"""Second factors of staff. The seed is sealed and backup codes are keyed digests: nothing here opens an account."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_otp.models import Device as OtpDevice
from django_otp.models import ThrottlingMixin

from portal.accounts.models.people import User
from portal.core import ids


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
