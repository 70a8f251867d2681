"""Who says that a customer is who they say: a bank's identity providers, and what a first sign-in rests on."""

from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import F, Q

from devices.models import DeviceKey
from portal.accounts.models import AccessToken, Application, Bank, User
from portal.core import clock, ids
from portal.core.actor import Actor
from twofa.models.requests import TwoFactorRequest

# RFC 8725 3.1: a closed list. Signatures with public keys only: no shared secret, no "none".
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
CODE_TRIES: Final = 5


class IdentityProviderQuerySet(models.QuerySet["IdentityProvider"]):
    def visible_to(self, actor: Actor) -> Self:
        """Those of the bank, for its staff; the system sees all."""
        if actor.is_system and actor.bank_id is None:
            return self
        return self.filter(bank_id=actor.bank_id) if actor.is_system or actor.is_staff else self.none()

    def in_use(self) -> Self:
        return self.filter(suspended_at__isnull=True)


class IdentityProvider(models.Model):
    """One place where a bank's customers prove who they are; `request.method` names it.

    issuer, audience: what its ID tokens must say. algorithms: a part of `ALGORITHMS`. jwks_uri: where its keys are;
    "" where they are pinned. key_set: the keys as JSON, pinned or fetched. fetched_at: when they last came.
    tried_at: when they were last asked for, so that unknown keys do not make us ask all day.
    authorization_endpoint, token_endpoint, client_secret_sealed: for sign-in in a browser; "" where there is none.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="identity_providers")
    name = models.CharField(max_length=64)
    issuer = models.CharField(max_length=255)
    audience = models.CharField(max_length=255)
    algorithms = models.JSONField(default=list)
    jwks_uri = models.CharField(max_length=500, blank=True)
    key_set = models.TextField(blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    authorization_endpoint = models.CharField(max_length=500, blank=True)
    token_endpoint = models.CharField(max_length=500, blank=True)
    client_secret_sealed = models.TextField(blank=True)
    created_at = models.DateTimeField()
    suspended_at = models.DateTimeField(null=True, blank=True)

    objects = IdentityProviderQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bank", "name"], name="identity_provider_name_unique"),
            models.CheckConstraint(name="identity_provider_has_keys", condition=~Q(jwks_uri="") | ~Q(key_set="")),
            models.CheckConstraint(
                name="identity_provider_browser_whole",
                condition=Q(authorization_endpoint="", token_endpoint="")
                | (~Q(authorization_endpoint="") & ~Q(token_endpoint="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EnrolmentPolicy(models.Model):
    """How a bank lets its customers' first devices in. in_person: whether staff may see a code to hand it over."""

    bank = models.OneToOneField(Bank, on_delete=models.PROTECT, primary_key=True, related_name="enrolment_policy")
    in_person = models.BooleanField(default=False)


class ActivationCodeQuerySet(models.QuerySet["ActivationCode"]):
    def visible_to(self, actor: Actor) -> Self:
        if actor.is_system and actor.bank_id is None:
            return self
        seen = actor.is_system or actor.is_staff or actor.is_bank
        return self.filter(bank_id=actor.bank_id) if seen else self.none()

    def open(self) -> Self:
        """Those that still open something."""
        return self.filter(closed_at__isnull=True, expires_at__gt=clock.now(), tries__lt=CODE_TRIES)


class ActivationCode(models.Model):
    """What proves, once, that a customer may enrol a first device. The code itself is kept as a keyed digest only.

    in_person: handed over by staff, not sent. used_at: when a device was enrolled by it. closed_at: when it ended,
    used, cancelled, replaced, or after a wrong fifth try. cancelled_by: who of the staff did that, or "".
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="activation_codes")
    issued_by = models.CharField(max_length=200)
    in_person = models.BooleanField(default=False)
    code_digest = models.CharField(max_length=64)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=200, blank=True)

    objects = ActivationCodeQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="activation_code_tries_bounded", condition=Q(tries__lte=CODE_TRIES)),
            models.UniqueConstraint(
                fields=["customer"], name="activation_code_one_open", condition=Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(
                name="activation_code_used_is_closed",
                condition=Q(used_at__isnull=True) | Q(used_at=F("closed_at")),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["bank", "-created_at", "-id"], name="activation_code_by_bank")]

    def __str__(self) -> str:
        return f"activation code …{str(self.pk)[-4:]}"

    @property
    def public_id(self) -> str:
        return ids.spell("ACT", self.pk)


class SignInChallenge(models.Model):
    """What a device has to sign to sign in: good for one customer, key and application, once, for two minutes.

    digest: of the whole text that was given out, which is kept nowhere.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="+")
    provider = models.ForeignKey(IdentityProvider, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(DeviceKey, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="sign_in_challenge_lapsing")]


class NewDeviceSignIn(models.Model):
    """A sign-in from a new device that waits for approval on an old one.

    facts_sealed: JSON of how the new device describes itself. public_key: as it was sent, "" for none. proved:
    whether that key has signed. session: the token that may finish it, and nothing else.
    """

    request = models.OneToOneField(
        TwoFactorRequest, on_delete=models.PROTECT, primary_key=True, related_name="new_device"
    )
    session = models.OneToOneField(AccessToken, on_delete=models.SET_NULL, null=True, related_name="+")
    facts_sealed = models.TextField()
    public_key = models.CharField(max_length=132, blank=True)
    proved = models.BooleanField(default=False)
    finished_at = models.DateTimeField(null=True, blank=True)


class BrowserSignIn(models.Model):
    """A customer on the way to their bank's provider and back (`/oauth/authorize`).

    state_digest: of the `state` the provider brings back. browser_digest: of the cookie of the browser that left.
    nonce, verifier_sealed: for the provider. request: asks a device of the customer's to approve; number_sealed: what
    the browser shows then, or "". finished_at: when it was over after that. The rest is what the application asked
    for, checked.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="+")
    provider = models.ForeignKey(IdentityProvider, on_delete=models.PROTECT, related_name="+")
    state_digest = models.CharField(max_length=64, unique=True)
    browser_digest = models.CharField(max_length=64)
    nonce = models.CharField(max_length=64)
    verifier_sealed = models.TextField()
    redirect_uri = models.CharField(max_length=500)
    scope = models.CharField(max_length=500)
    state = models.CharField(max_length=500, blank=True)
    code_challenge = models.CharField(max_length=128)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    request = models.OneToOneField("twofa.TwoFactorRequest", on_delete=models.SET_NULL, null=True, related_name="+")
    number_sealed = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="browser_sign_in_lapsing")]
