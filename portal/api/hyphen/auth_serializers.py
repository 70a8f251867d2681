"""What Hyphen's SDKs send and get when they sign in."""

from typing import Any, Final

from rest_framework import serializers

from devices.operations.device_sessions import NewDevice, SignedIn
from devices.operations.facts import MAX_LENGTHS
from devices.operations.sign_in import LONGEST_CHALLENGE
from devices.systems import NAMES
from portal.accounts.operations.tokens import TokenPair
from portal.api.hyphen.serializers import LONGEST_KEY, LONGEST_VERSION, MOBILE, TYPES, PushToken, Said
from portal.api.hyphen.twofa_serializers import TwoFactorBody
from portal.api.serializing import Input, Moment, Output, Text, Values, Verbatim, Word
from portal.crypto.jwts import LONGEST as LONGEST_TOKEN
from portal.crypto.signatures import LONGEST_HEX

DEVICE_KEY: Final = "deviceKey"
LONGEST_REFRESH: Final = 1024


# What is sent.


class Method(Input):
    """The bank's word for the customer: which identity provider, and its ID token."""

    method = Text(max_length=64)
    token = Text(max_length=LONGEST_TOKEN)
    chain_name = Said(max_length=64)


class SentDevice(Input):
    """A new device as it describes itself."""

    id = Said(max_length=MAX_LENGTHS["external_id"])
    public_key = Said(max_length=LONGEST_KEY)
    sdk_version = Said(max_length=MAX_LENGTHS["sdk_version"])
    push_token = PushToken()
    name = Said(max_length=MAX_LENGTHS["nickname"])
    os_name = Word(NAMES, required=False, allow_null=True)
    os_version = Said(max_length=LONGEST_VERSION)
    device_manufacturer = Said(max_length=MAX_LENGTHS["manufacturer"])
    device_model = Said(max_length=MAX_LENGTHS["model"])
    lang = Said(max_length=MAX_LENGTHS["language"])
    type = Word(TYPES, required=False, allow_null=True)


class UserKey(Input):
    """The new device and its key. `signature` is ours: it proves the key at once."""

    type = Word(("device",))
    device = SentDevice()
    public_key = Said(max_length=LONGEST_KEY)
    signature = Said(max_length=LONGEST_HEX)


class ChallengeAsked(Input):
    challenge_type = Word((DEVICE_KEY,))
    request = Method()
    public_key = Text(max_length=LONGEST_KEY)


class Signature(Input):
    signature = Text(max_length=LONGEST_HEX * 4)  # a longer one is wrong, and uses the challenge up


class ChallengeAnswered(Input):
    challenge_type = Word((DEVICE_KEY,))
    challenge_data = Verbatim(max_length=LONGEST_CHALLENGE, trim_whitespace=False)
    device_key = Signature()


class NewDeviceAsked(Input):
    request = Method()
    user_key = UserKey()


class Finish(Input):
    two_factor_auth_request_id = Text(max_length=36)


class Refresh(Input):
    refresh_token = Text(max_length=LONGEST_REFRESH)


class SignUp(Input):
    method = Text(max_length=64)
    token = Text(max_length=LONGEST_TOKEN)
    chain_name = Said(max_length=64)
    user_key = UserKey()
    activation_code = Text(max_length=32)


def device_of(key: Values) -> NewDevice:
    """The new device of a `UserKey`. A field that is null was left out."""
    sent = {name: value or "" for name, value in key["device"].items()}
    return NewDevice(
        external_id=sent.get("id", ""),
        kind=sent.get("type") or MOBILE,
        nickname=sent.get("name", ""),
        manufacturer=sent.get("device_manufacturer", ""),
        model=sent.get("device_model", ""),
        os_name=sent.get("os_name", ""),
        os_version=sent.get("os_version", ""),
        sdk_version=sent.get("sdk_version", ""),
        language=sent.get("lang", ""),
        firebase_token=sent.get("push_token", ""),
    )


def key_of(key: Values) -> dict[str, str]:
    """The key of a `UserKey`, wherever it stands, and its signature."""
    inner = key["device"].get("public_key") or ""
    return {"public_key": key.get("public_key") or inner, "signature": key.get("signature") or ""}


# What is answered.


class AccountBody(Output):
    """The customer. The two lists are always empty: this product knows no chains."""

    id = serializers.CharField(source="public_id")
    addresses = serializers.SerializerMethodField()
    parent = serializers.SerializerMethodField()  # type: ignore[assignment]
    created_at = Moment()

    def get_addresses(self, customer: object) -> list[str]:
        return []

    def get_parent(self, customer: object) -> list[str]:
        return []


class CredentialsBody(Output):
    access_token = serializers.CharField(source="raw")
    refresh_token = serializers.CharField(source="refresh_raw")


class SignedInBody(Output):
    account = AccountBody()
    credentials = CredentialsBody()


class ChallengeBody(Output):
    challenge_data = serializers.CharField(source="text", help_text="The device signs the UTF-8 bytes of this text")
    expires_at = Moment()


class NewDeviceBody(Output):
    two_factor_auth = TwoFactorBody()
    ephemeral_access_token = serializers.CharField()
    number = serializers.CharField(required=False)


class RefreshedBody(Output):
    credentials = CredentialsBody()


def signed_in(done: SignedIn) -> SignedInBody:
    body: dict[str, Any] = {"account": done.customer, "credentials": done.tokens}
    return SignedInBody(body)


def refreshed(pair: TokenPair) -> RefreshedBody:
    return RefreshedBody({"credentials": pair})
