"""What Hyphen's SDKs send and get. They decode strictly: every field of a device is a text, never null."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.models import Kind, PushPlatform
from devices.operations.editing import Edit
from devices.operations.facts import MAX_LENGTHS
from devices.queries.keyed import Keyed
from devices.systems import NAMES, read_system
from portal.api.serializing import Input, Output, Text, Values, Word

MOBILE, TABLET = TYPES = ("mobile", "tablet")
LONGEST_VERSION: Final = MAX_LENGTHS["operating_system"] - len("Android ")
LONGEST_KEY: Final = 130  # digits of an uncompressed point (SEC 1 2.3.3)


class Said(Text):
    """A text that may be left out, be empty, or be null, which some SDKs write for what they leave out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=True, allow_null=True, **kwargs)


@extend_schema_field({"type": "string", "pattern": "^[!-~]*$", "maxLength": MAX_LENGTHS["push_handle"]})
class PushToken(Said):
    """A Firebase registration: ASCII without spaces, taken as it is. An empty one removes it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=MAX_LENGTHS["push_handle"], **kwargs)

    def to_internal_value(self, data: object) -> str:
        token = super().to_internal_value(data)
        if not token.isascii() or " " in token:
            self.fail("invalid")
        return token


class EditedDevice(Input):
    """A device, in part. `id`, `publicKey` and `type` cannot be changed; they may come along as they are."""

    sdk_version = Said(max_length=MAX_LENGTHS["sdk_version"])
    id = Said(max_length=36)
    push_token = PushToken()
    name = Said(max_length=MAX_LENGTHS["nickname"])
    os_name = Word(NAMES, required=False, allow_null=True)
    os_version = Said(max_length=LONGEST_VERSION)
    device_manufacturer = Said(max_length=MAX_LENGTHS["manufacturer"])
    device_model = Said(max_length=MAX_LENGTHS["model"])
    lang = Said(max_length=MAX_LENGTHS["language"])
    type = Word(TYPES, required=False, allow_null=True)
    public_key = Said(max_length=LONGEST_KEY)


def edit_of(values: Values) -> Edit:
    """What an `EditedDevice` says anew."""
    return Edit(
        nickname=values.get("name"),
        manufacturer=values.get("device_manufacturer"),
        model=values.get("device_model"),
        os_name=values.get("os_name"),
        os_version=values.get("os_version"),
        sdk_version=values.get("sdk_version"),
        language=values.get("lang"),
        firebase_token=values.get("push_token"),
    )


def type_of(kind: str) -> str:
    """There are two words: all that is no tablet is a mobile, a watch too."""
    return TABLET if kind == Kind.TABLET else MOBILE


class DeviceBody(Output):
    """The eleven fields of the vendor's description, in its order."""

    id = serializers.UUIDField(source="device.pk")
    public_key = serializers.CharField(source="key.spelling", help_text="As it was registered")
    sdk_version = serializers.CharField(source="device.sdk_version", allow_blank=True)
    push_token = serializers.SerializerMethodField()
    name = serializers.CharField(source="device.nickname", allow_blank=True)
    os_name = serializers.SerializerMethodField()
    os_version = serializers.SerializerMethodField()
    device_manufacturer = serializers.CharField(source="device.manufacturer", allow_blank=True)
    device_model = serializers.CharField(source="device.model", allow_blank=True)
    lang = serializers.CharField(source="device.language", allow_blank=True)
    type = serializers.SerializerMethodField()

    def get_push_token(self, keyed: Keyed) -> str:
        """A Firebase registration; of other services nothing."""
        return keyed.device.push_handle if keyed.device.push_platform == PushPlatform.GCM else ""

    @extend_schema_field({"type": "string", "enum": list(NAMES)})
    def get_os_name(self, keyed: Keyed) -> str:
        return read_system(keyed.device.operating_system, keyed.device.manufacturer).name

    def get_os_version(self, keyed: Keyed) -> str:
        return read_system(keyed.device.operating_system, keyed.device.manufacturer).version

    @extend_schema_field({"type": "string", "enum": list(TYPES)})
    def get_type(self, keyed: Keyed) -> str:
        return type_of(keyed.device.kind)


class OneDevice(Output):
    device = DeviceBody()


class ManyDevices(Output):
    devices = DeviceBody(many=True)
