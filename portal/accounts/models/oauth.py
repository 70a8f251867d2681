"""API clients and their tokens: OAuth Toolkit's models with what a bank needs.

Tokens are kept as SHA-256 only. A live access token is a session; one that is bound to a device works only while
the device is active.
"""

from typing import ClassVar, Self
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from oauth2_provider.models import (
    AbstractAccessToken,
    AbstractApplication,
    AbstractDeviceGrant,
    AbstractGrant,
    AbstractIDToken,
    AbstractRefreshToken,
)

from portal.accounts.models.people import Bank
from portal.accounts.scopes import SCOPES_BY_KIND
from portal.core import clock
from portal.core.actor import Actor


class ApplicationKind(models.TextChoices):
    BANK = "bank"  # a bank's server, by client credentials
    MERCHANT = "merchant"  # a merchant's server, by client credentials
    MOBILE = "mobile"  # a mobile application, on behalf of a customer


class ApprovalProof(models.TextChoices):
    """What an approval on a device rests on for a client."""

    SIGNATURE = "signature", "Signed by the device's key"
    TRANSACTION_ID = "transaction-id", "Not signed: a transaction id"


SHORTEST_REQUEST, LONGEST_REQUEST = 30, 600  # seconds


class ApplicationQuerySet(models.QuerySet["Application"]):
    def visible_to(self, actor: Actor) -> Self:
        """The clients of the bank, for its staff. Customers and clients see none, not even themselves."""
        if actor.is_system and actor.bank_id is None:
            return self
        return self.filter(bank_id=actor.bank_id) if actor.is_system or actor.is_staff else self.none()


class Application(AbstractApplication, models.Model):  # type: ignore[misc]
    """A client of the API. It belongs to one bank and reaches only the dialects and scopes listed here.

    dialects, allowed_scopes: lists of names; an empty list opens nothing.
    allowed_ips: networks in CIDR notation the client may call from; an empty list means any.
    app_secret_digest: keyed digest of the secret a mobile application sends with each call (X-Hyphen-App-Secret).
    app_secret_before, app_secret_before_until: the one before it, while installed applications still send that.
    proves_possession: whether its tokens only work with a proof of the device's key in each call (RFC 9449).
    administers: whether the client may speak for the bank's other clients (SPiD's "administration rights").
    sign_secret_sealed: the secret that signs answers to this client, "" for a client that wants none signed (SPiD).
    approval_proof: what approvals on devices rest on. number_matching: whether their owner types a number that the
    waiting side shows. request_seconds: how long a customer has to answer.
    webhook_url, webhook_key_sealed: where the client is told what became of what it asked for, and what signs that;
    both "" for one that is not told.
    """

    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="applications")
    kind = models.CharField(max_length=10, choices=ApplicationKind)
    dialects = models.JSONField(default=list)
    allowed_scopes = models.JSONField(default=list)
    allowed_ips = models.JSONField(default=list, blank=True)
    app_secret_digest = models.CharField(max_length=64, blank=True)
    app_secret_before = models.CharField(max_length=64, blank=True)
    app_secret_before_until = models.DateTimeField(null=True, blank=True)
    proves_possession = models.BooleanField(default=False)
    administers = models.BooleanField(default=False)
    sign_secret_sealed = models.TextField(blank=True)
    approval_proof = models.CharField(max_length=16, choices=ApprovalProof, default=ApprovalProof.SIGNATURE)
    number_matching = models.BooleanField(default=False)
    request_seconds = models.PositiveSmallIntegerField(default=180)
    webhook_url = models.CharField(max_length=500, blank=True)
    webhook_key_sealed = models.TextField(blank=True)
    suspended_at = models.DateTimeField(null=True, blank=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta(AbstractApplication.Meta):  # type: ignore[misc]
        constraints: ClassVar = [
            models.CheckConstraint(name="application_kind_known", condition=Q(kind__in=ApplicationKind.values)),
            models.CheckConstraint(
                name="application_proof_known", condition=Q(approval_proof__in=ApprovalProof.values)
            ),
            models.CheckConstraint(
                name="application_request_seconds_bounded",
                condition=Q(request_seconds__gte=SHORTEST_REQUEST, request_seconds__lte=LONGEST_REQUEST),
            ),
            models.UniqueConstraint(
                fields=["app_secret_digest"], name="application_app_secret_unique", condition=~Q(app_secret_digest="")
            ),
            models.UniqueConstraint(
                fields=["app_secret_before"],
                name="application_app_secret_before_unique",
                condition=~Q(app_secret_before=""),
            ),
            models.CheckConstraint(
                name="application_app_secret_before_ends",
                condition=Q(app_secret_before="", app_secret_before_until=None)
                | (~Q(app_secret_before="") & Q(app_secret_before_until__isnull=False)),
            ),
        ]

    def is_usable(self, request: object) -> bool:
        """OAuth Toolkit asks this before it issues anything."""
        return self.suspended_at is None

    def clean(self) -> None:
        super().clean()
        unknown = set(self.allowed_scopes) - SCOPES_BY_KIND[self.kind]
        if unknown:
            raise ValidationError(f"A {self.kind} client cannot have: {', '.join(sorted(unknown))}.")


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def live(self) -> Self:
        """Tokens that open something right now: what a person would call a session."""
        return self.filter(ended_at__isnull=True, expires__gt=clock.now())

    def end(self) -> int:
        """End those that are live, for good. Returns how many that were."""
        return self.live().update(ended_at=clock.now())


class AccessToken(AbstractAccessToken, models.Model):  # type: ignore[misc]
    """An access token. `device` binds it: it dies with the device, at the next request.

    ended_at: set when the token was ended before its time; an ended token never works again.
    key_thumbprint: RFC 7638 thumbprint of the key the bearer has to prove, or "".
    """

    device = models.ForeignKey(
        "devices.Device", on_delete=models.PROTECT, null=True, blank=True, related_name="access_tokens"
    )
    key_thumbprint = models.CharField(max_length=64, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = AccessTokenQuerySet.as_manager()

    class Meta(AbstractAccessToken.Meta):  # type: ignore[misc]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="access_token_has_a_bearer",
                condition=Q(user__isnull=False) | Q(application__isnull=False),
            ),
            models.CheckConstraint(
                name="access_token_device_needs_user",
                condition=Q(device__isnull=True) | Q(user__isnull=False),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["device", "expires"], name="access_token_by_device")]

    def is_expired(self) -> bool:
        return self.ended_at is not None or self.expires <= clock.now()

    def revoke(self) -> None:
        """End the token. Its row stays: whoever still sends it is named by it."""
        AccessToken.objects.filter(pk=self.pk).end()


class RefreshTokenQuerySet(models.QuerySet["RefreshToken"]):
    def unused(self) -> Self:
        return self.filter(revoked__isnull=True)

    def revoke(self) -> int:
        """Use them up and end their access tokens. Returns how many of those were live.

        Wants a transaction. Refresh tokens come first, as everywhere, so that no two calls wait for each other.
        """
        now = clock.now()
        self.unused().update(revoked=now, updated=now)
        return AccessToken.objects.filter(pk__in=self.values("access_token_id")).end()


class RefreshToken(AbstractRefreshToken, models.Model):  # type: ignore[misc]
    """Renews an access token once; used twice, its whole family ends (RFC 9700 4.14).

    It keeps its access token when it is used up, because that one names the device the family is bound to.
    """

    objects = RefreshTokenQuerySet.as_manager()

    class Meta(AbstractRefreshToken.Meta):  # type: ignore[misc]
        pass

    def revoke(self) -> None:
        """Use it up, and end the access token that came with it."""
        RefreshToken.objects.filter(pk=self.pk).revoke()

    @classmethod
    def revoke_family(cls, token_family: UUID | None) -> None:
        """End every refresh and access token that descends from one sign-in."""
        if token_family is not None:
            cls.objects.filter(token_family=token_family).revoke()


class Grant(AbstractGrant, models.Model):  # type: ignore[misc]
    """An authorization code. It is kept for a while after its use, so that a second one is noticed (RFC 6749 4.1.2).

    used_at: when it came back, for a session or for nothing. token_family: of the session that it opened.
    """

    used_at = models.DateTimeField(null=True, blank=True)
    token_family = models.UUIDField(null=True, blank=True)

    class Meta(AbstractGrant.Meta):  # type: ignore[misc]
        pass


class IDToken(AbstractIDToken, models.Model):  # type: ignore[misc]
    """Kept because OAuth Toolkit's schema refers to it; the portal issues none."""

    class Meta(AbstractIDToken.Meta):  # type: ignore[misc]
        pass


class DeviceGrant(AbstractDeviceGrant, models.Model):  # type: ignore[misc]
    """Kept because OAuth Toolkit's schema refers to it; the device authorization grant is off."""

    class Meta(AbstractDeviceGrant.Meta):  # type: ignore[misc]
        pass
