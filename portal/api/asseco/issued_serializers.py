"""What Asseco's clients send and get about cards and tokens, and about the lists of words."""

from datetime import date, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.models import ISSUED_KINDS, CardKind, Device, IssuedDetails, Kind
from devices.operations.issued_facts import CAPABILITIES
from devices.queries import issued as queries
from devices.states import CardStatus
from portal.api.serializing import Input, Output, Text, TextOrNull, Whole, Word, WordOrNull
from portal.api.spelling import kebab

SORT_WORDS = {kebab(name): name for name in queries.SORTS}
_ANY = "|".join(CardStatus.values)
CARD_FIELDS = (
    "masked_card_number",
    "is_primary",
    "card_status",
    "cardholder_name",
    "delivery_date",
    "activation_date",
    "expiration_date",
    "card_kind",
    "card_brand",
)


@extend_schema_field({"type": "string", "pattern": f"^({_ANY})(,({_ANY}))*$"})
class CardStatusWords(serializers.CharField):
    """`valid,expired`: one or more of the five words."""

    default_error_messages = {"unknown": f"One or more of: {', '.join(CardStatus.values)}."}

    def to_internal_value(self, data: object) -> list[str]:  # type: ignore[override]
        words = str(data).split(",")
        if not set(words) <= set(CardStatus.values):
            raise serializers.ValidationError(self.error_messages["unknown"], code="invalid_choice")
        return sorted(set(words))


class IssuedDevicesQuery(Input):
    customer_number = Text(required=False, max_length=64)
    card_statuses = CardStatusWords(required=False)
    sort_by = Word(list(SORT_WORDS), default="registered-at")
    sort_order = Word(["asc", "desc"], default="asc")
    page = Whole(default=1, min_value=1, max_value=1_000_000)
    page_size = Whole(default=10, min_value=1, max_value=100)


class Day(serializers.DateField):
    """A full date on the way out, of a moment in UTC; `null` when it is not set."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, required=False, **kwargs)

    def to_representation(self, value: date | datetime) -> str:
        return (value.date() if isinstance(value, datetime) else value).isoformat()


class IssuedDevice(Output):
    """A card or token. The fields from `masked-card-number` on are a payment card's; others do not have them."""

    device_id = serializers.UUIDField(source="pk")
    kind = serializers.ChoiceField(choices=list(ISSUED_KINDS))
    holder_id = serializers.CharField(source="owner.customer_number")
    capabilities = serializers.SerializerMethodField()
    nickname = TextOrNull()
    masked_card_number = serializers.SerializerMethodField(required=False)
    is_primary = serializers.BooleanField(source="issued.is_primary", allow_null=True, required=False)
    card_status = serializers.ChoiceField(choices=CardStatus.values, required=False)
    cardholder_name = TextOrNull(source="issued.cardholder_name", required=False)
    delivery_date = Day(source="issued.delivered_on")
    activation_date = Day(source="activated_at")
    expiration_date = Day(source="issued.expires_on")
    card_kind = WordOrNull(CardKind.values, source="issued.card_kind", required=False)
    card_brand = TextOrNull(source="issued.card_brand", required=False)

    @extend_schema_field({"type": "array", "items": {"type": "string", "enum": list(CAPABILITIES)}})
    def get_capabilities(self, device: Device) -> list[str]:
        details = queries.details_of(device)
        return list(details.capabilities) if details else []

    @extend_schema_field({"type": ["string", "null"], "pattern": r"^[0-9]{6}\*{6}[0-9]{4}$"})
    def get_masked_card_number(self, device: Device) -> str | None:
        details: IssuedDetails | None = queries.details_of(device)
        return f"{details.number_start}******{details.number_end}" if details and details.number_end else None

    def to_representation(self, device: Device) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(device)
        if device.kind != Kind.PAYMENT_CARD:
            for name in CARD_FIELDS:
                shown.pop(name, None)
        return shown


class IssuedDevices(Output):
    devices = IssuedDevice(many=True, source="items")
    page = serializers.IntegerField()
    page_size = serializers.IntegerField()
    total_count = serializers.IntegerField(source="total")
    total_pages = serializers.IntegerField(source="pages")


class ClassificationInfo(Output):
    schema_id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()


class Classifications(Output):
    items = ClassificationInfo(many=True)


class ClassificationValue(Output):
    literal = serializers.CharField()
    code = serializers.CharField()
    description = serializers.CharField()
    parent_literal = serializers.CharField(allow_null=True)


class Classification(Output):
    schema_id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    values = ClassificationValue(many=True)
