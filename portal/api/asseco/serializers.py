"""What Asseco's clients send and get."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices import queries
from devices.models import Device, ExternalIdKind, Kind, PushPlatform
from devices.operations.facts import MAX_LENGTHS, DeviceFacts
from devices.operations.issued_facts import CAPABILITIES
from portal.api.asseco.wire import STATUS_WORDS, STATUSES, statuses_called
from portal.api.serializing import Input, Moment, Output, Text, TextOrNull, Values, Whole, Word, WordOrNull
from portal.api.spelling import kebab
from portal.core import clock
from portal.core.errors import InvalidInput

_ANY = "|".join(STATUSES)
SORT_WORDS = {kebab(name): name for name in queries.SORTS}


def capabilities_of(device: Device) -> list[str]:
    """What the registry knows that an owned device can do; nothing is guessed from a model's name.

    pki: it has proved an approval key. push: its push handle is registered and has not lapsed. telephony and sms: it
    is a phone. display: it is a phone, tablet or watch.
    """
    known = {
        "pki": queries.has_proved_key(device),
        "push": is_push_registered(device),
        "telephony": device.kind == Kind.MOBILE,
        "sms": device.kind == Kind.MOBILE,
        "display": device.kind in {Kind.MOBILE, Kind.TABLET, Kind.WATCH},
    }
    return [capability for capability in CAPABILITIES if known.get(capability)]


def is_push_registered(device: Device) -> bool:
    """Whether push messages reach the device now."""
    return device.push_expires_at is not None and device.push_expires_at > clock.now()


@extend_schema_field({"type": "string", "pattern": "^[!-~]+$", "maxLength": MAX_LENGTHS["push_handle"]})
class Handle(Text):
    """A push handle: ASCII without spaces, taken as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=MAX_LENGTHS["push_handle"], **kwargs)

    def to_internal_value(self, data: object) -> str:
        handle = super().to_internal_value(data)
        if not handle.isascii() or " " in handle:
            self.fail("invalid")
        return handle


class DescribedDevice(Input):
    """A device as its owner describes it. `external-device-id` is a second name of `external-device-identifier`."""

    one_of = ("external_device_identifier", "external_device_id")

    external_device_identifier = Text(required=False, trim_whitespace=False, max_length=MAX_LENGTHS["external_id"])
    external_device_id = Text(required=False, trim_whitespace=False, max_length=MAX_LENGTHS["external_id"])
    external_device_id_kind = Word(ExternalIdKind.values, required=False)
    customer_id = Text(required=False, max_length=64)
    operating_system = Text(required=False, allow_blank=True, max_length=MAX_LENGTHS["operating_system"])
    nickname = Text(required=False, allow_blank=True, max_length=MAX_LENGTHS["nickname"])
    brand_name = Text(required=False, allow_blank=True, max_length=MAX_LENGTHS["manufacturer"])
    model_name = Text(required=False, allow_blank=True, max_length=MAX_LENGTHS["model"])
    installation_id = Text(required=False, allow_blank=True, max_length=MAX_LENGTHS["installation_id"])
    push_platform = Word(PushPlatform.values, required=False)
    push_handle = Handle(required=False)


def facts_of(values: Values) -> DeviceFacts:
    """The facts in a `DescribedDevice`. Raises InvalidInput when the identifier is given twice and differs."""
    given = {values[name] for name in DescribedDevice.one_of if name in values}
    if len(given) > 1:
        raise InvalidInput.at("external_device_id", "combination-required", "The identifier's two names disagree.")
    return DeviceFacts(
        external_id=given.pop() if given else "",
        external_id_kind=values.get("external_device_id_kind", ""),
        nickname=values.get("nickname"),
        manufacturer=values.get("brand_name"),
        model=values.get("model_name"),
        operating_system=values.get("operating_system"),
        installation_id=values.get("installation_id"),
        push_platform=values.get("push_platform"),
        push_handle=values.get("push_handle"),
    )


class Nickname(Input):
    nickname = Text(max_length=MAX_LENGTHS["nickname"])


class PushHandle(Input):
    push_platform = Word(PushPlatform.values)
    pns_handle = Handle()


class Reason(Input):
    """Why; members of staff have to say it."""

    reason = Text(required=False, allow_blank=True, max_length=MAX_LENGTHS["reason"])


@extend_schema_field({"type": "string", "pattern": f"^({_ANY})(,({_ANY}))*$"})
class StatusWords(serializers.CharField):
    """`active,blocked`: one or more of the three words. Read as the states they stand for."""

    default_error_messages = {"unknown": f"One or more of: {', '.join(STATUSES)}."}

    def to_internal_value(self, data: object) -> list[str]:  # type: ignore[override]
        words = str(data).split(",")
        if not set(words) <= set(STATUSES):
            raise serializers.ValidationError(self.error_messages["unknown"], code="invalid_choice")
        return sorted({status for word in words for status in statuses_called(word)})


class OwnedDevicesQuery(Input):
    customer_number = Text(required=False, max_length=64)
    device_statuses = StatusWords(required=False)
    sort_by = Word(list(SORT_WORDS), default="registered-at")
    sort_order = Word(["asc", "desc"], default="asc")
    page = Whole(default=1, min_value=1, max_value=1_000_000)
    page_size = Whole(default=10, min_value=1, max_value=100)


class Registration(Output):
    id = serializers.CharField(source="external_id")
    created_record_status = serializers.SerializerMethodField()

    def get_created_record_status(self, device: Device) -> str:
        return STATUS_WORDS[device.status]


class StatusField(serializers.ChoiceField):
    """A state in the vendor's words."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=list(STATUSES), **kwargs)

    def to_representation(self, value: str) -> str:
        return STATUS_WORDS[value]


class DeviceDetails(Output):
    """The ten fields of the vendor's description; all of them, `null` when unset."""

    imei = TextOrNull(source="external_id")
    customer_id = serializers.CharField(source="owner.customer_number")
    status = StatusField()
    nickname = TextOrNull()
    operating_system = TextOrNull()
    brand_name = TextOrNull(source="manufacturer")
    model_name = TextOrNull(source="model")
    installation_id = TextOrNull()
    push_id = TextOrNull(source="push_handle")
    push_expiration_date = Moment(source="push_expires_at", allow_null=True)


class OwnedDevice(Output):
    device_id = serializers.UUIDField(source="pk")
    external_device_id = TextOrNull(source="external_id")
    external_device_id_kind = WordOrNull(ExternalIdKind.values, source="external_id_kind")
    owner_id = serializers.CharField(source="owner.customer_number")
    capabilities = serializers.SerializerMethodField()
    status = StatusField()
    nickname = TextOrNull()
    operating_system = TextOrNull()
    manufacturer = TextOrNull()
    model = TextOrNull()
    push_registered = serializers.SerializerMethodField()
    push_handle_expiration = Moment(source="push_expires_at", allow_null=True)

    def get_capabilities(self, device: Device) -> list[str]:
        return capabilities_of(device)

    def get_push_registered(self, device: Device) -> bool:
        return is_push_registered(device)


class OwnedDevices(Output):
    devices = OwnedDevice(many=True, source="items")
    page = serializers.IntegerField()
    page_size = serializers.IntegerField()
    total_count = serializers.IntegerField(source="total")
    total_pages = serializers.IntegerField(source="pages")
