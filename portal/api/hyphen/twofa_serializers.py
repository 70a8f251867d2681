"""Two-factor requests as Hyphen's SDKs read them: three statuses, and texts that are never null."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.models import Device, PushPlatform
from portal.api.hyphen.serializers import Said
from portal.api.serializing import Input, Moment, Output, Text, Values, Word
from portal.core.errors import FieldProblem, InvalidInput
from portal.crypto.signatures import LONGEST_HEX
from twofa.models import TwoFactorRequest
from twofa.operations.answering import LONGEST_TX_ID
from twofa.operations.contents import Content, content_of, message_of
from twofa.shown_operations import FACTS, KINDS, member_of
from twofa.states import Decision, RequestState

PENDING, APPROVED, DENIED = STATUSES = ("pending", "approved", "denied")
# The SDKs stop at any other word: an expired request goes on waiting, and `expiresAt` says that it is over.
STATUS: Final[Mapping[str, str]] = {
    RequestState.PENDING: PENDING,
    RequestState.EXPIRED: PENDING,
    RequestState.APPROVED: APPROVED,
    RequestState.DENIED: DENIED,
    RequestState.CANCELLED: DENIED,
}
SIDE: Final = (
    "id",
    "publicKey",
    "sdkVersion",
    "pushToken",
    "name",
    "osName",
    "osVersion",
    "deviceManufacturer",
    "deviceModel",
    "lang",
    "type",
)
LONGEST_ID: Final = 128  # of a device: its external identifier


# What is sent.


class Shown(serializers.CharField):
    """A text that is shown and signed as it is. What may stand in it is the operation's business."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Passed(Shown):
    """What the caller passes through: text or JSON in any lines."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=True, allow_null=True, trim_whitespace=False, **kwargs)


def _facts(kind: str) -> type[Input]:
    """The input of one type's facts, each a text."""
    texts = {
        name: Shown(allow_blank=not fact.required, max_length=fact.longest, trim_whitespace=False)
        for name, fact in FACTS[kind].items()
    }
    words = "".join(word.capitalize() for word in kind.split("-"))
    return type(f"{words}Facts", (Input,), {"__doc__": f"What is shown of a {kind}.", **texts})


class UserOpInfo(Input):
    """What is asked for: its type, and the object of the same name."""

    type = Word(KINDS)
    sign_in = _facts("sign-in")(required=False)
    payment = _facts("payment")(required=False)
    device_transfer = _facts("device-transfer")(required=False)


class NewRequest(Input):
    """A request for a customer's approval."""

    account_id = Text(max_length=64, help_text="`USR_…` or the bank's customer number")
    user_op_info = UserOpInfo()
    src_device_id = Said(max_length=LONGEST_ID)
    dest_device_id = Said(max_length=LONGEST_ID)
    message = Passed(help_text="At most 4 KiB; it is part of what the device signs")


def facts_of(values: Values) -> tuple[str, dict[str, str]]:
    """The type of a `NewRequest` and its facts. Raises InvalidInput where it holds another type's, too."""
    info: Values = values["user_op_info"]
    kind = str(info["type"])
    if strange := [name for name in info if name not in {"type", member_of(kind)}]:
        text = "This is not of the type that is named."
        raise InvalidInput(
            fields=tuple(FieldProblem(f"user_op_info.{name}", "not-allowed", text) for name in strange)
        )
    return kind, dict(info.get(member_of(kind)) or {})


class Again(Input):
    """The same request, asked of this device."""

    dest_device_id = Text(max_length=LONGEST_ID)


class Approved(Input):
    """The approval: what proves it. `number` is what the waiting side shows, where numbers are matched."""

    tx_id = Said(max_length=LONGEST_TX_ID)
    signature = Said(max_length=LONGEST_HEX * 4)  # a longer one is wrong, and counted
    number = Said(max_length=16)


class DenyQuery(Input):
    """`notMe=true`: somebody else asked."""

    not_me = Word(("true", "false"), required=False)


# What is answered.


@dataclass(frozen=True)
class Seen:
    """A request as one side sees it."""

    request: TwoFactorRequest
    content: Content
    app: Mapping[str, str]
    source: Mapping[str, str]
    destination: Mapping[str, str]


def seen(request: TwoFactorRequest, viewer: object) -> Seen:
    """viewer: the id of the device that looks, None for anybody else. Only its own push token is shown."""
    content = content_of(request)
    source = _side(content.source, request.source, viewer)
    app = content.app or dict.fromkeys(("appId", "appName"), "")
    return Seen(request, content, app, source, _side(content.destination, request.destination, viewer))


def _side(described: Mapping[str, str] | None, device: Device | None, viewer: object) -> dict[str, str]:
    """A device as it was described when it asked, or was asked: what it became since is not what is signed."""
    shown = described or dict.fromkeys(SIDE, "")
    own = device is not None and device.pk == viewer and device.push_platform == PushPlatform.GCM
    token = device.push_handle if own and device is not None else ""
    return {name: token if name == "pushToken" else shown[name] for name in SIDE}


class SideBody(Output):
    """One of the two devices; empty texts where no registered device waits."""

    id = serializers.CharField(allow_blank=True)
    public_key = serializers.CharField(source="publicKey", allow_blank=True)
    sdk_version = serializers.CharField(source="sdkVersion", allow_blank=True)
    push_token = serializers.CharField(source="pushToken", allow_blank=True, help_text="The caller's own, else empty")
    name = serializers.CharField(allow_blank=True)
    os_name = serializers.CharField(source="osName", allow_blank=True)
    os_version = serializers.CharField(source="osVersion", allow_blank=True)
    device_manufacturer = serializers.CharField(source="deviceManufacturer", allow_blank=True)
    device_model = serializers.CharField(source="deviceModel", allow_blank=True)
    lang = serializers.CharField(allow_blank=True)
    type = serializers.CharField(allow_blank=True)


class AppBody(Output):
    """The application that asks, as it was called then: it is signed so."""

    app_id = serializers.CharField(source="appId", allow_blank=True)
    app_name = serializers.CharField(source="appName", allow_blank=True)


class RequestBody(Output):
    """What is asked, by whom, of whom."""

    id = serializers.UUIDField(source="request.request_id", help_text="Another one each time it is asked again")
    app = AppBody()
    user_op_info = serializers.SerializerMethodField()
    src_device = SideBody(source="source")
    dest_device = SideBody(source="destination")
    message = serializers.SerializerMethodField(help_text="The device signs the UTF-8 bytes of this text")
    requested_at = Moment(source="request.requested_at")

    @extend_schema_field({"type": "object", "properties": {"type": {"type": "string", "enum": list(KINDS)}}})
    def get_user_op_info(self, seen: Seen) -> Mapping[str, object]:
        return seen.content.operation

    def get_message(self, seen: Seen) -> str:
        return message_of(seen.request)


class ResultBody(Output):
    tx_id = serializers.CharField()


class TwoFactorBody(Output):
    """The vendor's seven fields, in its order."""

    id = serializers.UUIDField(source="request.pk")
    account_id = serializers.CharField(source="request.account.public_id")
    request = RequestBody(source="*")
    status = serializers.SerializerMethodField()
    extra = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField()
    expires_at = Moment(source="request.expires_at")

    @extend_schema_field({"type": "string", "enum": list(STATUSES)})
    def get_status(self, seen: Seen) -> str:
        return STATUS[seen.request.state]

    @extend_schema_field({"type": "null"})
    def get_extra(self, seen: Seen) -> None:
        return None

    @extend_schema_field(
        {"type": ["object", "null"], "properties": {"txId": {"type": "string"}}, "required": ["txId"]}
    )
    def get_result(self, seen: Seen) -> Mapping[str, str] | None:
        answer = seen.request.given
        if answer is None or answer.decision != Decision.APPROVED:
            return None
        return {"tx_id": answer.tx_id}


class AnswerBody(Output):
    """For the application that asked: what the answer rests on."""

    proof = serializers.CharField(help_text="signature, transaction-id, or token for a denial")
    signed = serializers.BooleanField(source="verified")
    not_me = serializers.BooleanField()


class OneTwoFactor(Output):
    """`number` only comes with a new round where numbers are matched, `answer` only to the application that asked."""

    two_factor_auth = TwoFactorBody()
    number = serializers.CharField(required=False)
    answer = AnswerBody(required=False)


class ManyTwoFactors(Output):
    two_factor_auths = TwoFactorBody(many=True)
