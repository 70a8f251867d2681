"""Devices that customers own and devices that the bank issues: one table, one row per device."""

import re
from datetime import datetime
from typing import ClassVar, Final
from unicodedata import normalize

from django.db import models
from django.db.models import Q

from devices.querysets import EXTERNAL_ID, PUSH_HANDLE, DeviceQuerySet
from devices.states import Category, DeviceStatus, HeldBy, no_way
from portal import indexes, vault
from portal.accounts.models import Bank, User
from portal.core import ids


class Kind(models.TextChoices):
    MOBILE = "mobile", "Phone"
    TABLET = "tablet", "Tablet"
    WATCH = "watch", "Watch"
    PAYMENT_CARD = "payment-card", "Payment card"
    SMART_CARD = "smart-card", "Smart card"
    OTP_TOKEN = "otp-token", "OTP token"


# One rule for every door: what may stand in a path segment and what merchants may send (Peere).
EXTERNAL_ID_FORM: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
PUSH_FIELDS = (
    "push_platform",
    "push_handle_sealed",
    "push_handle_index",
    "push_handle_index_next",
    "push_expires_at",
)
OWNED_KINDS = (Kind.MOBILE, Kind.TABLET, Kind.WATCH)
ISSUED_KINDS = (Kind.PAYMENT_CARD, Kind.SMART_CARD, Kind.OTP_TOKEN)


class ExternalIdKind(models.TextChoices):
    IMEI = "imei", "IMEI"
    APP_ID = "app-id", "App id"


class PushPlatform(models.TextChoices):
    APNS = "apns", "APNs"
    GCM = "gcm", "FCM"
    WNS = "wns", "WNS"
    MPNS = "mpns", "MPNS"


class Device(models.Model):
    """A phone, card or token that the bank knows.

    The external identifier (IMEI, app id) and the push handle are sealed; each has a blind index for look-ups, in two
    columns (`portal.indexes`).
    `held_by` says who switched an INACTIVE or BLOCKED device off. Times are null until the step happened; `lost_at`
    is set while the device is reported lost, and stays when it is then retired; `held_before_loss` says who had
    switched it off before.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="devices")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="devices")
    category = models.CharField(max_length=10, choices=Category)
    kind = models.CharField(max_length=20, choices=Kind)
    status = models.CharField(max_length=10, choices=DeviceStatus)
    held_by = models.CharField(max_length=10, choices=HeldBy, blank=True, default=HeldBy.NOBODY)

    external_id_sealed = models.TextField(blank=True)
    external_id_index = models.CharField(max_length=64, blank=True)
    external_id_index_next = models.CharField(max_length=64, blank=True, default="", db_default="")
    external_id_last4 = models.CharField(max_length=4, blank=True)
    external_id_kind = models.CharField(max_length=10, choices=ExternalIdKind, blank=True)

    nickname = models.CharField(max_length=64, blank=True)
    nickname_key = models.CharField(max_length=255, blank=True)
    manufacturer = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=64, blank=True)
    operating_system = models.CharField(max_length=64, blank=True)
    app_version = models.CharField(max_length=64, blank=True)
    sdk_version = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=35, blank=True)
    installation_id = models.CharField(max_length=128, blank=True)

    push_platform = models.CharField(max_length=10, choices=PushPlatform, blank=True)
    push_handle_sealed = models.TextField(blank=True)
    push_handle_index = models.CharField(max_length=64, blank=True)
    push_handle_index_next = models.CharField(max_length=64, blank=True, default="", db_default="")
    push_expires_at = models.DateTimeField(null=True, blank=True)

    registered_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)
    switched_off_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    lost_at = models.DateTimeField(null=True, blank=True)
    held_before_loss = models.CharField(max_length=10, choices=HeldBy, blank=True, default=HeldBy.NOBODY)
    updated_at = models.DateTimeField()
    last_activity_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["Device"]] = DeviceQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="device_status_known", condition=Q(status__in=DeviceStatus.values)),
            models.CheckConstraint(
                name="device_kind_fits_category",
                condition=Q(category=Category.OWNED, kind__in=OWNED_KINDS)
                | Q(category=Category.ISSUED, kind__in=ISSUED_KINDS),
            ),
            models.CheckConstraint(
                name="device_held_by_somebody_when_off",
                condition=(
                    Q(status__in=[DeviceStatus.INACTIVE, DeviceStatus.BLOCKED])
                    & Q(held_by__in=[HeldBy.OWNER, HeldBy.BANK])
                )
                | (~Q(status__in=[DeviceStatus.INACTIVE, DeviceStatus.BLOCKED]) & Q(held_by=HeldBy.NOBODY)),
            ),
            models.CheckConstraint(
                name="device_active_has_activation",
                condition=~Q(status=DeviceStatus.ACTIVE) | Q(activated_at__isnull=False),
            ),
            models.CheckConstraint(
                name="device_retired_has_time",
                condition=Q(status=DeviceStatus.RETIRED, retired_at__isnull=False)
                | (~Q(status=DeviceStatus.RETIRED) & Q(retired_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="device_lost_is_blocked_by_bank",
                condition=Q(lost_at__isnull=True)
                | Q(status=DeviceStatus.BLOCKED, held_by=HeldBy.BANK)
                | Q(status=DeviceStatus.RETIRED),
            ),
            models.CheckConstraint(
                name="device_held_before_loss_known",
                condition=Q(held_before_loss=HeldBy.NOBODY)
                | Q(lost_at__isnull=False, held_before_loss__in=[HeldBy.OWNER, HeldBy.BANK]),
            ),
            models.CheckConstraint(
                name="device_external_id_whole",
                condition=Q(external_id_sealed="", external_id_index="", external_id_last4="", external_id_kind="")
                | (
                    ~Q(external_id_sealed="")
                    & ~Q(external_id_index="")
                    & Q(external_id_kind__in=ExternalIdKind.values)
                ),
            ),
            models.CheckConstraint(
                name="device_push_whole",
                condition=Q(
                    push_platform="",
                    push_handle_sealed="",
                    push_handle_index="",
                    push_expires_at__isnull=True,
                )
                | (
                    ~Q(push_handle_sealed="")
                    & ~Q(push_handle_index="")
                    & Q(push_platform__in=PushPlatform.values, push_expires_at__isnull=False)
                ),
            ),
            models.UniqueConstraint(
                fields=["bank", "external_id_index"],
                name="device_external_id_unique_in_use",
                condition=~Q(status=DeviceStatus.RETIRED) & ~Q(external_id_index=""),
            ),
            models.UniqueConstraint(
                fields=["bank", "external_id_index_next"],
                name="device_external_id_next_unique_in_use",
                condition=~Q(status=DeviceStatus.RETIRED) & ~Q(external_id_index_next=""),
            ),
            models.UniqueConstraint(
                fields=["owner", "nickname_key"],
                name="device_nickname_unique_in_use",
                condition=~Q(status=DeviceStatus.RETIRED) & ~Q(nickname_key=""),
            ),
            models.UniqueConstraint(
                fields=["bank", "push_handle_index"],
                name="device_push_handle_unique_in_use",
                condition=~Q(status=DeviceStatus.RETIRED) & ~Q(push_handle_index=""),
            ),
            models.UniqueConstraint(
                fields=["bank", "push_handle_index_next"],
                name="device_push_handle_next_unique_in_use",
                condition=~Q(status=DeviceStatus.RETIRED) & ~Q(push_handle_index_next=""),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bank", "external_id_index"], name="device_by_external_id"),
            models.Index(fields=["bank", "-registered_at", "-id"], name="device_by_bank"),
            models.Index(fields=["bank", "status", "-registered_at", "-id"], name="device_by_status"),
            models.Index(fields=["bank", "kind", "-registered_at", "-id"], name="device_by_kind"),
            models.Index(fields=["owner", "-registered_at", "-id"], name="device_by_owner"),
            models.Index(fields=["bank", "external_id_last4"], name="device_by_last4"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def public_id(self) -> str:
        """`DEV_…`, the spelling that Adiba's clients use."""
        return ids.spell("DEV", self.pk)

    @property
    def label(self) -> str:
        """What people call it: model or kind, and the last four of its external identifier. Holds nothing sealed."""
        name = self.model or Kind(self.kind).label
        return f"{name} ··{self.external_id_last4}" if self.external_id_last4 else name

    @property
    def is_active(self) -> bool:
        return self.status == DeviceStatus.ACTIVE

    @property
    def external_id(self) -> str:
        """The identifier its owner gave, unsealed."""
        return vault.unseal(EXTERNAL_ID, self.pk, self.external_id_sealed)

    @property
    def push_handle(self) -> str:
        """The push handle, unsealed."""
        return vault.unseal(PUSH_HANDLE, self.pk, self.push_handle_sealed)

    def set_external_id(self, kind: str, value: str) -> None:
        """Seal the identifier and make its index and last four. `value` is 1 to 128 characters."""
        self.external_id_sealed = vault.seal(EXTERNAL_ID, self.pk, value)
        self.external_id_index, self.external_id_index_next = indexes.to_write(EXTERNAL_ID, self.bank_id, value)
        self.external_id_last4 = value[-4:] if len(value) > 8 else ""
        self.external_id_kind = kind

    def set_push_handle(self, platform: str, handle: str, expires_at: datetime | None) -> None:
        """Seal the push handle; an empty one removes it."""
        self.push_platform = platform if handle else ""
        self.push_handle_sealed = vault.seal(PUSH_HANDLE, self.pk, handle)
        pair = indexes.to_write(PUSH_HANDLE, self.bank_id, handle) if handle else indexes.Pair("", "")
        self.push_handle_index, self.push_handle_index_next = pair
        self.push_expires_at = expires_at if handle else None

    def set_nickname(self, nickname: str) -> None:
        """The nickname, and the form in which two nicknames are the same: case, spaces and ways to write an accent
        make no difference (Unicode 3.13, canonical caseless matching)."""
        self.nickname = nickname
        self.nickname_key = normalize("NFC", " ".join(normalize("NFC", nickname).casefold().split()))

    def nickname_taken(self) -> bool:
        """Whether another device in use of the same owner has this nickname."""
        same = Device.objects.in_use().filter(owner_id=self.owner_id, nickname_key=self.nickname_key)
        return bool(self.nickname_key) and same.exclude(pk=self.pk).exists()

    def move_to(self, status: DeviceStatus, *, held_by: HeldBy = HeldBy.NOBODY) -> DeviceStatus:
        """Go to a state; the only line that assigns one. Returns the state before. Raises InvalidState."""
        before = DeviceStatus(self.status)
        if refusal := no_way(before, status):
            raise refusal
        self.status = status
        self.held_by = held_by
        return before
