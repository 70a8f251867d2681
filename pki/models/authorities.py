"""Certificate authorities, and the responders that answer for them."""

from datetime import datetime, timedelta
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Q

from pki.models.querysets import NamedQuerySet
from pki.states import CA_TRANSITIONS, ROLL_OVER_TRANSITIONS, CaRole, CaState, RollOverState, no_way
from portal.accounts.models import Bank
from portal.core import ids
from portal.core.actor import Actor

ADDRESS_KEY: Final = 16  # characters of the key id; `pki.public_urls` takes as many
ANSWERS_AFTER: Final = timedelta(days=30)  # our own policy: longer than any CRL or answer of it is kept


class KeyStoreKind(models.TextChoices):
    FILE = "file", "Encrypted file"
    PKCS11 = "pkcs11", "PKCS#11 token"


class CertificateAuthorityQuerySet(NamedQuerySet["CertificateAuthority"]):
    prefix = "CA"

    def visible_to(self, actor: Actor) -> Self:
        """The roots, and the issuing ones of the actor's bank."""
        if actor.is_system and actor.bank_id is None:
            return self
        if actor.bank_id is None:
            return self.none()
        return self.filter(Q(bank_id=actor.bank_id) | Q(role=CaRole.ROOT))

    def issuing_for(self, bank_id: object) -> Self:
        """The one that issues for a bank now."""
        return self.filter(bank_id=bank_id, role=CaRole.ISSUING, state=CaState.ACTIVE)

    def answering(self) -> Self:
        """Those that still publish CRLs and OCSP answers."""
        return self.exclude(state=CaState.ENDED)


class CertificateAuthority(models.Model):
    """A root, or the issuing authority of one bank.

    keystore, key_name: where its private key is; the key itself is nowhere in the database. key_id: hex of the
    subject key identifier. crl_number: of the last CRL made, only ever grows. paused_at: no automatic rotations.
    rotation_rate: certificates a minute that rotation may sign.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, null=True, related_name="authorities")
    role = models.CharField(max_length=10, choices=CaRole)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    name = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=CaState, default=CaState.ACTIVE)
    keystore = models.CharField(max_length=10, choices=KeyStoreKind)
    key_name = models.CharField(max_length=128)
    key_id = models.CharField(max_length=64)
    serial = models.CharField(max_length=40)
    der = models.BinaryField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    crl_number = models.PositiveBigIntegerField(default=0)
    paused_at = models.DateTimeField(null=True, blank=True)
    rotation_rate = models.PositiveIntegerField(default=600)
    created_at = models.DateTimeField()

    objects = CertificateAuthorityQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="ca_role_known", condition=Q(role__in=CaRole.values)),
            models.CheckConstraint(name="ca_state_known", condition=Q(state__in=CaState.values)),
            models.CheckConstraint(
                name="ca_issuing_has_bank_and_parent",
                condition=Q(role=CaRole.ROOT, bank__isnull=True, parent__isnull=True)
                | Q(role=CaRole.ISSUING, bank__isnull=False, parent__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["bank"],
                name="ca_one_issues_for_a_bank",
                condition=Q(role=CaRole.ISSUING, state=CaState.ACTIVE),
            ),
            models.UniqueConstraint(
                fields=["role"], name="ca_one_root_signs", condition=Q(role=CaRole.ROOT, state=CaState.ACTIVE)
            ),
            models.UniqueConstraint(fields=["key_id"], name="ca_key_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """`CA_…`, the id that callers see."""
        return ids.spell("CA", self.pk)

    @property
    def address_key(self) -> str:
        """What names it in the addresses of its list, its answers and its certificate."""
        return self.key_id[:ADDRESS_KEY]

    def move_to(self, state: CaState) -> CaState:
        """Go to a state; the only line that assigns one. Returns the state before. Raises InvalidState."""
        before = CaState(self.state)
        if refusal := no_way(CA_TRANSITIONS, before, state, what="authority", code="authority-state-not-valid"):
            raise refusal
        self.state = state
        return before

    def still_answers(self, now: datetime) -> bool:
        """Whether something it signed may still be asked about: for a while after the last has run out, too."""
        if self.not_after <= now:
            return False
        signed = self.certificates.filter(not_after__gt=now - ANSWERS_AFTER)
        return signed.exists() or self.roll_overs.filter(closed_at__gt=now - ANSWERS_AFTER).exists()


class OcspResponder(models.Model):
    """A short-lived delegated responder of one authority (RFC 6960 4.2.2.2). Newer ones take over by themselves.

    The row is there, with its serial, before anything is signed; der: None until then.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    authority = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="responders")
    keystore = models.CharField(max_length=10, choices=KeyStoreKind)
    key_name = models.CharField(max_length=128)
    serial = models.CharField(max_length=40)
    der = models.BinaryField(null=True)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["serial"], name="responder_serial_unique")]
        indexes: ClassVar = [models.Index(fields=["authority", "-not_before"], name="responder_newest")]


class RollOver(models.Model):
    """The order to let a new authority take an old one's place. A worker carries it out: keys take time to make.

    name, key, keystore: of the new one. claim_until: until then one worker has it. last_reason: why the last try
    did not work, in words.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="+")
    old = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="roll_overs")
    new = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=RollOverState, default=RollOverState.WAITING)
    name = models.CharField(max_length=64)
    key = models.CharField(max_length=16)
    keystore = models.CharField(max_length=10, choices=KeyStoreKind)
    tries = models.PositiveSmallIntegerField(default=0)
    last_reason = models.CharField(max_length=200, blank=True)
    ordered_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    claim_until = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="roll_over_state_known", condition=Q(state__in=RollOverState.values)),
            models.CheckConstraint(
                name="roll_over_done_has_new",
                condition=Q(state=RollOverState.DONE, new__isnull=False)
                | (~Q(state=RollOverState.DONE) & Q(new__isnull=True)),
            ),
            models.CheckConstraint(
                name="roll_over_open_has_no_end",
                condition=Q(state=RollOverState.WAITING, closed_at__isnull=True)
                | (~Q(state=RollOverState.WAITING) & Q(closed_at__isnull=False)),
            ),
            models.UniqueConstraint(fields=["old"], name="roll_over_once", condition=~Q(state=RollOverState.FAILED)),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], name="roll_over_waiting", condition=Q(state=RollOverState.WAITING))
        ]

    def __str__(self) -> str:
        return f"Roll-over to {self.name}"

    def move_to(self, state: RollOverState) -> RollOverState:
        """Go to a state; the only line that assigns one. Returns the state before. Raises InvalidState."""
        before = RollOverState(self.state)
        code = "roll-over-state-not-valid"
        if refusal := no_way(ROLL_OVER_TRANSITIONS, before, state, what="roll-over", code=code):
            raise refusal
        self.state = state
        return before
