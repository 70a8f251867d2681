"""What SPiD's clients send and get."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.models import FingerprintPlatform
from devices.operations.facts import MAX_LENGTHS
from devices.operations.fingerprints import LONGEST_NAME, LONGEST_VERSION
from portal.api.serializing import Input, Output, Text, Word
from portal.api.spid.wire import Nothing, RequestState

PLATFORMS: Final = {
    "iPad": FingerprintPlatform.IOS,
    "iPhone": FingerprintPlatform.IOS,
    "Android": FingerprintPlatform.ANDROID,
}


@extend_schema_field({"type": "string"})
class Extra(Text):
    """What may be left out or be empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=True, **kwargs)


class Along(Input):
    """What comes with every call. The last four are what SDKs send too; nobody looks at them."""

    oauth_token = Extra(help_text="The access token, where it is not in the header")
    context_client_id = Extra(max_length=100, help_text="In the name of which client; the token's own, if not given")
    method = Extra()
    client_id = Extra()
    client_secret = Extra()
    redirect_uri = Extra()


class Login(Along):
    """A sign-in."""

    device_id = Text(trim_whitespace=False, max_length=MAX_LENGTHS["external_id"])
    platform = Word(list(PLATFORMS))
    application_name = Text(trim_whitespace=False, max_length=LONGEST_NAME)
    application_version = Extra(max_length=LONGEST_VERSION)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "object", "properties": {"hash": {"type": "string"}}, "required": ["hash"]},
            {"type": "string"},
        ],
        "description": "In a signed answer, base64url of it.",
    }
)
class Data(serializers.JSONField):
    """The hash, as SDKs read it."""


class Container(Output):
    name = serializers.CharField()
    version = serializers.CharField()
    api = serializers.IntegerField()
    object = serializers.CharField()
    type = serializers.CharField()
    code = serializers.IntegerField()
    request = RequestState()
    debug = Nothing()
    meta = Nothing()
    error = Nothing()
    data = Data()  # type: ignore[assignment]
    hash = serializers.CharField(help_text="64 lower-case hexadecimal digits")
    algorithm = serializers.CharField(required=False, help_text="Of a signed answer: HMAC-SHA256")
    sig = serializers.CharField(required=False, help_text="Of a signed answer: base64url of the HMAC over `data`")
