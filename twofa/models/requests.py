"""What somebody is asked to approve on a device, and the one answer to it."""

from collections.abc import Iterable
from typing import ClassVar, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import OuterRef, Q, Subquery

from devices.models import Device, DeviceKey
from portal.accounts.models import AccessToken, Application, Bank, User
from portal.accounts.scopes import SIGN_IN_SCOPES
from portal.core import clock, ids
from portal.core.actor import Actor
from twofa.shown_operations import PAYMENT
from twofa.states import Decision, Proof, RequestState

KEY_FIELDS: Final = {"key_id": "pk", "key_text": "public_key"}


class TwoFactorRequestQuerySet(models.QuerySet["TwoFactorRequest"]):
    def visible_to(self, actor: Actor) -> Self:
        """A customer's own, what a bank's application asked for itself, all of the bank for its staff.

        A token that is bound to a device sees what that device asks or is asked, nothing of its owner's others; one
        that waits for a sign-in sees that.
        """
        if actor.is_system:
            return self if actor.bank_id is None else self.filter(bank_id=actor.bank_id)
        if actor.is_customer and actor.scopes == SIGN_IN_SCOPES:
            return self.filter(bank_id=actor.bank_id, account_id=actor.user_id, session_id=actor.token_id)
        if actor.is_customer:
            own = self.filter(bank_id=actor.bank_id, account_id=actor.user_id)
            return own if actor.device_id is None else own.about([actor.device_id])
        if actor.is_bank:
            return self.filter(bank_id=actor.bank_id, application_id=actor.application_id)
        return self.filter(bank_id=actor.bank_id) if actor.is_staff else self.none()

    def open(self) -> Self:
        """Those that can still be answered."""
        return self.filter(state=RequestState.PENDING, expires_at__gt=clock.now())

    def about(self, devices: Iterable[Device | UUID]) -> Self:
        """Those that one of these devices asks, or is asked."""
        wanted = list(devices)
        return self.filter(Q(source__in=wanted) | Q(destination__in=wanted))

    def whole(self) -> Self:
        """With everything that is shown of them, and the key that their destination has in use, in one query."""
        in_use = DeviceKey.objects.in_use().filter(device=OuterRef("destination"))
        key = {name: Subquery(in_use.values(field)[:1]) for name, field in KEY_FIELDS.items()}
        related = ("bank", "account", "application", "source", "destination", "answer")
        return self.select_related(*related).annotate(**key)


class TwoFactorRequest(models.Model):
    """One request. Asked again of another device it keeps its id and gets a new `request_id` and message.

    content_sealed: JSON of what is shown (operation, text, both devices as they were described). message_sealed:
    the canonical message that the destination signs. kind: the operation's type, in the clear for lists and counts.
    cap_at: the last moment that any repetition can reach. rounds: how often it was asked. number_digest: of the
    number to be matched, or "". session: the token of who is waiting, ended when the owner says “it was not me”.
    alerted_at: when staff were told that somebody else may be asking.
    key_id, key_text: of the destination's key in use, None without one; `whole` reads them.
    """

    key_id: UUID | None
    key_text: str | None

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="two_factor_requests")
    account = models.ForeignKey(User, on_delete=models.PROTECT, related_name="two_factor_requests")
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="+")
    source = models.ForeignKey(Device, on_delete=models.PROTECT, null=True, related_name="+")
    destination = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="two_factor_requests")
    session = models.ForeignKey(AccessToken, on_delete=models.SET_NULL, null=True, related_name="+")
    request_id = models.UUIDField(default=ids.new_id)
    kind = models.CharField(max_length=32)
    proof = models.CharField(max_length=16, choices=Proof)
    content_sealed = models.TextField()
    message_sealed = models.TextField()
    rounds = models.PositiveSmallIntegerField(default=1)
    number_digest = models.CharField(max_length=64, blank=True)
    wrong_numbers = models.PositiveSmallIntegerField(default=0)
    wrong_signatures = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=RequestState, default=RequestState.PENDING)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    cap_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=200, blank=True)
    alerted_at = models.DateTimeField(null=True, blank=True)

    objects = TwoFactorRequestQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="two_factor_state_known", condition=Q(state__in=RequestState.values)),
            models.CheckConstraint(
                name="two_factor_source_never_answers",
                condition=Q(source__isnull=True) | ~Q(source=models.F("destination")),
            ),
            models.CheckConstraint(
                name="two_factor_payment_is_signed", condition=~Q(kind=PAYMENT) | Q(proof=Proof.SIGNATURE)
            ),
            models.CheckConstraint(name="two_factor_life_bounded", condition=Q(expires_at__lte=models.F("cap_at"))),
            models.CheckConstraint(
                name="two_factor_closed_has_time",
                condition=Q(state=RequestState.PENDING, closed_at__isnull=True)
                | (~Q(state=RequestState.PENDING) & Q(closed_at__isnull=False)),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "-requested_at", "-id"], name="two_factor_by_bank"),
            models.Index(fields=["bank", "state", "-requested_at", "-id"], name="two_factor_by_state"),
            models.Index(fields=["account", "-requested_at"], name="two_factor_by_account"),
            models.Index(fields=["application", "-requested_at", "-id"], name="two_factor_by_client"),
            models.Index(fields=["destination"], name="two_factor_open_at", condition=Q(state=RequestState.PENDING)),
            models.Index(fields=["expires_at"], name="two_factor_lapsing", condition=Q(state=RequestState.PENDING)),
            models.Index(
                fields=["bank", "-alerted_at"], name="two_factor_alerted", condition=Q(alerted_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"2FA request …{str(self.pk)[-4:]}"

    @property
    def is_open(self) -> bool:
        return self.state == RequestState.PENDING and self.expires_at > clock.now()

    @property
    def given(self) -> "Answer | None":
        """The answer, once there is one."""
        answer: Answer | None = getattr(self, "answer", None)
        return answer


class Answer(models.Model):
    """The one answer to a request: its key is the request's. Kept with everything that proves it.

    message_sealed: the very bytes that were signed (or would have been). key: whose signature it is; None without
    one. verified: whether a signature was checked and held. not_me: the owner said that somebody else asked.
    """

    request = models.OneToOneField(
        TwoFactorRequest, on_delete=models.PROTECT, primary_key=True, related_name="answer"
    )
    decision = models.CharField(max_length=10, choices=Decision)
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(DeviceKey, on_delete=models.PROTECT, null=True, related_name="+")
    proof = models.CharField(max_length=16, choices=Proof)
    verified = models.BooleanField()
    signature = models.CharField(max_length=160, blank=True)
    tx_id = models.CharField(max_length=256, blank=True)
    not_me = models.BooleanField(default=False)
    message_sealed = models.TextField()
    answered_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="two_factor_answer_known", condition=Q(decision__in=Decision.values)),
            models.CheckConstraint(
                name="two_factor_signed_has_key",
                condition=Q(verified=False) | Q(key__isnull=False, proof=Proof.SIGNATURE) & ~Q(signature=""),
            ),
            models.CheckConstraint(
                name="two_factor_approved_is_proved",
                condition=~Q(decision=Decision.APPROVED) | Q(verified=True) | Q(proof=Proof.TRANSACTION_ID),
            ),
        ]
