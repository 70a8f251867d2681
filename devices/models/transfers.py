"""Transfers of a device from one owner to another."""

from datetime import datetime
from typing import ClassVar, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from devices.models.device import Device
from devices.states import TRANSFER_OPEN, TransferState, no_way_for_transfer
from portal.accounts.models import Bank, User
from portal.core import clock, ids
from portal.core.actor import Actor

CODE_TRIES: Final = 5  # wrong acceptance codes that end a transfer (contract, ownership)
LAPSING: Final = (TransferState.PENDING_APPROVAL, TransferState.APPROVED)  # the states that end by time


class TransferQuerySet(models.QuerySet["Transfer"]):
    def visible_to(self, actor: Actor) -> Self:
        """A customer's own, as old or as new owner; all of the bank for its staff; nobody else any.

        Once the device is another's, who owned it knows none of its transfers, however they ended. Who was offered
        it keeps what came of that.
        """
        if actor.is_system:
            return self if actor.bank_id is None else self.filter(bank_id=actor.bank_id)
        if actor.is_customer:
            owns = Q(device__owner_id=actor.user_id)
            offered = Q(new_owner_id=actor.user_id) & (~Q(state=TransferState.COMPLETED) | owns)
            return self.filter(Q(old_owner_id=actor.user_id) & owns | offered)
        return self.filter(bank_id=actor.bank_id) if actor.is_staff else self.none()

    def named(self, transfer_id: str) -> Self:
        """The one that `TRF_…` names; no query for another text."""
        key = _read_id(transfer_id)
        return self.filter(pk=key) if key else self.none()

    def open(self) -> Self:
        """Those that are not over yet."""
        return self.filter(state__in=TRANSFER_OPEN)

    def lapsed(self) -> Self:
        """Those that nobody decided on or accepted in time, and that nobody has marked so."""
        return self.filter(state__in=LAPSING, expires_at__lte=clock.now())

    def due(self) -> Self:
        """Those that are accepted and whose date has come."""
        return self.filter(state=TransferState.ACCEPTED, effective_at__lte=clock.now())


class Transfer(models.Model):
    """One transfer, from the request to its end.

    effective_at: when the device changes hands at the earliest; None: as soon as it is accepted. requested_by: the
    member of staff who asked on the owner's behalf, None when the owner did. code_digest: keyed; the code itself is
    only in the message to the new owner. expires_at: of the present state. end_reason: why it was rejected or ended.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="transfers")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="transfers")
    old_owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="transfers_out")
    new_owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="transfers_in")
    reason = models.CharField(max_length=500)
    effective_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=20, choices=TransferState, default=TransferState.PENDING_APPROVAL)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    code_digest = models.CharField(max_length=64, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="transfer_state_known", condition=Q(state__in=TransferState.values)),
            models.CheckConstraint(name="transfer_tries_bounded", condition=Q(tries__lte=CODE_TRIES)),
            models.CheckConstraint(name="transfer_changes_hands", condition=~Q(old_owner=F("new_owner"))),
            models.CheckConstraint(
                name="transfer_maker_is_not_checker",
                condition=Q(decided_by__isnull=True)
                | Q(requested_by__isnull=True)
                | ~Q(decided_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="transfer_goes_on_only_approved",
                condition=~Q(state__in=[TransferState.APPROVED, TransferState.ACCEPTED, TransferState.COMPLETED])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="transfer_completed_was_accepted",
                condition=~Q(state=TransferState.COMPLETED)
                | Q(accepted_at__isnull=False, completed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="transfer_closed_has_time",
                condition=Q(state__in=TRANSFER_OPEN, closed_at__isnull=True)
                | (~Q(state__in=TRANSFER_OPEN) & Q(closed_at__isnull=False)),
            ),
            models.UniqueConstraint(
                fields=["device"], name="transfer_one_open", condition=Q(state__in=TRANSFER_OPEN)
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "-requested_at", "-id"], name="transfer_by_bank"),
            models.Index(fields=["bank", "state", "-requested_at", "-id"], name="transfer_by_state"),
            models.Index(fields=["device", "-requested_at"], name="transfer_by_device"),
            models.Index(fields=["old_owner", "-requested_at"], name="transfer_by_old_owner"),
            models.Index(fields=["new_owner", "-requested_at"], name="transfer_by_new_owner"),
            models.Index(fields=["effective_at"], name="transfer_due", condition=Q(state=TransferState.ACCEPTED)),
            models.Index(
                fields=["expires_at"],
                name="transfer_lapsing",
                condition=Q(state__in=[TransferState.PENDING_APPROVAL, TransferState.APPROVED]),
            ),
        ]

    def __str__(self) -> str:
        return f"Transfer …{self.public_id[-4:]}"

    @property
    def public_id(self) -> str:
        """`TRF_…`, the id that callers see."""
        return ids.spell("TRF", self.pk)

    @property
    def is_open(self) -> bool:
        return self.state in TRANSFER_OPEN

    @property
    def has_lapsed(self) -> bool:
        """Whether its time ran out, marked so or not."""
        return self.state == TransferState.EXPIRED or (self.state in LAPSING and self.expires_at <= clock.now())

    @property
    def ends_at(self) -> datetime | None:
        """When it ends by itself unless somebody goes on with it; None where it does not."""
        return self.expires_at if self.state in LAPSING else None

    @property
    def waits_for_date(self) -> bool:
        """Whether it cannot be completed yet, accepted or not."""
        return self.effective_at is not None and self.effective_at > clock.now()

    def move_to(self, state: TransferState) -> TransferState:
        """Go to a state; the only line that assigns one. Returns the state before. Raises InvalidState."""
        before = TransferState(self.state)
        if refusal := no_way_for_transfer(before, state):
            raise refusal
        self.state = state
        return before


def _read_id(text: str) -> UUID | None:
    try:
        return ids.read("TRF", text)
    except ValueError:
        return None
