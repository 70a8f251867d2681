"""Requests that wait for a second person, and what each bank wants a second person for."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q

from portal.accounts.models import Bank, User
from portal.approvals.states import DECIDED, RequestState
from portal.audit.log import About
from portal.core import clock, ids
from portal.core.actor import Actor, ActorKind, Channel

# Who may ask for a second person: people who answer for it, the bank's server, our own work inside one bank.
MAKERS = (ActorKind.STAFF.value, ActorKind.BANK.value, ActorKind.SYSTEM.value)


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    def visible_to(self, actor: Actor) -> Self:
        """Staff and the system see their bank's; a bank's server sees what it asked for itself; nobody else any."""
        if actor.is_system and actor.bank_id is None:
            return self
        if actor.is_system or actor.is_staff:
            return self.filter(bank_id=actor.bank_id)
        if actor.is_bank:
            return self.filter(bank_id=actor.bank_id).made_by(actor)
        return self.none()

    def open(self) -> Self:
        """Those that can still be decided."""
        return self.filter(state=RequestState.PENDING, expires_at__gt=clock.now())

    def lapsed(self) -> Self:
        """Those whose time ran out and that nobody has marked so."""
        return self.filter(state=RequestState.PENDING, expires_at__lte=clock.now())

    def in_state(self, state: RequestState) -> Self:
        """Those that people see in this state: one whose time ran out is expired before anybody has marked it so."""
        if state == RequestState.PENDING:
            return self.open()
        if state == RequestState.EXPIRED:
            return self.filter(Q(state=state) | Q(state=RequestState.PENDING, expires_at__lte=clock.now()))
        return self.filter(state=state)

    def made_by(self, actor: Actor) -> Self:
        """Those that the actor asked for, through whichever door."""
        return self.filter(maker_kind=actor.kind.value, maker_id=actor.id)

    def about(self, obj: models.Model) -> Self:
        """Those about one object."""
        return self.filter(object_type=str(obj._meta.model_name), object_id=str(obj.pk))


class ApprovalRequest(models.Model):
    """One operation with its exact arguments, as its maker asked for it.

    operation: the registered name. payload_sealed: the arguments and every column that is set when it is asked for,
    in canonical JSON (RFC 8785). payload_digest: keyed, over bank, operation and arguments; two open requests never
    ask for the same. exclusive: no other request for the operation may wait at the object meanwhile. maker_id: the
    actor's id; maker_user where it is a person. result: plain facts of what was done, for the asker.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="approval_requests")
    operation = models.CharField(max_length=64)
    payload_sealed = models.TextField()
    payload_digest = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_label = models.CharField(max_length=200, blank=True)
    exclusive = models.BooleanField(default=True)

    maker_kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in ActorKind])
    maker_id = models.CharField(max_length=64)
    maker_user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="made_requests")
    maker_label = models.CharField(max_length=200)
    channel = models.CharField(max_length=10, choices=[(channel.value, channel.value) for channel in Channel])
    reason = models.CharField(max_length=500, blank=True)

    state = models.CharField(max_length=10, choices=RequestState, default=RequestState.PENDING)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="decided_requests")
    decision_reason = models.CharField(max_length=500, blank=True)
    result = models.JSONField(default=dict, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.CharField(max_length=300, blank=True)

    objects = ApprovalRequestQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="approval_state_known", condition=Q(state__in=RequestState.values)),
            models.CheckConstraint(
                name="approval_maker_is_not_checker",
                condition=Q(decided_by__isnull=True) | Q(maker_user__isnull=True) | ~Q(decided_by=F("maker_user")),
            ),
            models.CheckConstraint(
                name="approval_decided_by_somebody",
                condition=Q(state__in=DECIDED, decided_by__isnull=False)
                | (~Q(state__in=DECIDED) & Q(decided_by__isnull=True)),
            ),
            models.CheckConstraint(
                name="approval_closed_has_time",
                condition=Q(state=RequestState.PENDING, closed_at__isnull=True)
                | (~Q(state=RequestState.PENDING) & Q(closed_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="approval_staff_maker_is_a_person",
                condition=~Q(maker_kind=ActorKind.STAFF.value) | Q(maker_user__isnull=False),
            ),
            models.CheckConstraint(name="approval_maker_may_ask", condition=Q(maker_kind__in=MAKERS)),
            models.CheckConstraint(
                name="approval_decision_has_reason", condition=Q(decided_by__isnull=True) | ~Q(decision_reason="")
            ),
            models.CheckConstraint(name="approval_ends_after_it_began", condition=Q(expires_at__gt=F("created_at"))),
            models.UniqueConstraint(
                fields=["bank", "payload_digest"],
                name="approval_one_open_per_payload",
                condition=Q(state=RequestState.PENDING),
            ),
            models.UniqueConstraint(
                fields=["operation", "object_type", "object_id"],
                name="approval_one_open_per_object",
                condition=Q(state=RequestState.PENDING, exclusive=True) & ~Q(object_id=""),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "-created_at", "-id"], name="approval_by_bank"),
            models.Index(fields=["bank", "state", "-created_at", "-id"], name="approval_by_state"),
            models.Index(fields=["object_type", "object_id"], name="approval_by_object"),
            models.Index(fields=["expires_at"], name="approval_waiting", condition=Q(state=RequestState.PENDING)),
        ]

    def __str__(self) -> str:
        return f"{self.operation} · {self.object_label}" if self.object_label else self.operation

    @property
    def public_id(self) -> str:
        """`APR_…`, the id that callers see."""
        return ids.spell("APR", self.pk)

    @property
    def standing(self) -> RequestState:
        """The state as people see it: expired at the moment its time is over."""
        state = RequestState(self.state)
        lapsed = state == RequestState.PENDING and self.expires_at <= clock.now()
        return RequestState.EXPIRED if lapsed else state

    @property
    def is_open(self) -> bool:
        """Whether it can still be decided."""
        return self.standing == RequestState.PENDING

    @property
    def ended_at(self) -> datetime | None:
        """When it was closed, or its time ran out; None while it is open."""
        return self.closed_at or (None if self.is_open else self.expires_at)

    @property
    def subject(self) -> About:
        """The object it is about, for the audit log: its timeline tells the whole story."""
        return About(self.object_type, self.object_id, self.object_label, self.bank_id)


class ApprovalPolicy(models.Model):
    """What one bank wants a second person for, beyond what always needs one.

    required: names of operations. bulk_threshold: a bulk step over more devices needs a second person.
    """

    bank = models.OneToOneField(Bank, on_delete=models.PROTECT, primary_key=True, related_name="approval_policy")
    required = models.JSONField(default=list)
    bulk_threshold = models.PositiveSmallIntegerField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="approval_policy_threshold_sane", condition=Q(bulk_threshold__gte=1, bulk_threshold__lte=200)
            ),
        ]

    def __str__(self) -> str:
        return "Four-eyes policy"
