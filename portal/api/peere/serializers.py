"""What Peere's clients send and get."""

from typing import Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.models import EXTERNAL_ID_FORM
from merchants.models import LinkOrder
from merchants.operations.links import LONGEST_CUSTOMER_ID
from merchants.operations.naming import BAD_FORM
from merchants.phrases import LONGEST_SENT
from merchants.queries.links import MOST
from portal.api.peere.wire import Done
from portal.api.serializing import Input, Moment, Output, Text, Verbatim, Whole, Word

ORDERS: Final = {"deviceId": LinkOrder.DEVICE, "customerId": LinkOrder.CUSTOMER, "linkedAt": LinkOrder.TIME}
LIMIT: Final = 20  # links on a page, where the caller names no number
LAST: Final = 999_999_999  # the highest page that can be asked for


@extend_schema_field({"type": "string", "pattern": f"^{EXTERNAL_ID_FORM.pattern}$"})
class DeviceId(serializers.Field[str, object, str, object]):
    """A device's id in any of its spellings. Nothing of it is told in a refusal."""

    default_error_messages = {"invalid": BAD_FORM}

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str) or not EXTERNAL_ID_FORM.fullmatch(data):
            self.fail("invalid")
        return data


class LinkFields(Input):
    """Whose phrase a device stands for."""

    customer_id = Text(
        trim_whitespace=False, max_length=LONGEST_CUSTOMER_ID, help_text="The bank's number, or `USR_…`"
    )
    phrase = Verbatim(
        trim_whitespace=False,
        max_length=LONGEST_SENT,
        help_text="3 to 64 characters in its normal form (NFKC, letter case, spaces)",
    )
    device_id = DeviceId()


class DevicesQuery(Input):
    page = Whole(default=1, min_value=1, max_value=LAST)
    limit = Whole(default=LIMIT, min_value=1, max_value=MOST)
    search = Verbatim(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        max_length=LONGEST_SENT,
        help_text="A customer's id, a device's id or a phrase, whole; or the beginning of a customer number",
    )
    sort_by = Word(list(ORDERS), default="linkedAt")
    sort_order = Word(["asc", "desc"], default="desc")


class LinkedDevice(Output):
    device_id = serializers.CharField()
    customer_id = serializers.CharField(source="customer_number")
    phrase = serializers.CharField()
    linked_at = Moment()


class LinkedDevices(Output):
    devices = LinkedDevice(source="items", many=True)
    total = serializers.IntegerField(help_text="Of all pages")
    page = serializers.IntegerField()
    limit = serializers.IntegerField()


class DeviceListBody(Output):
    status_code = serializers.IntegerField(help_text="The HTTP status again")
    success = serializers.BooleanField()
    data = LinkedDevices()  # type: ignore[assignment]


class Lookup(Input):
    device_id = DeviceId()


class Recognised(Output):
    """Whose device it is."""

    device_id = serializers.CharField(help_text="As it was sent")
    phrase = serializers.CharField()
    customer_id = serializers.CharField(help_text="`PCI_…`: of this merchant only, the same at every call")
    bank_id = serializers.CharField()


class LookupBody(Done):
    data = Recognised()  # type: ignore[assignment]
