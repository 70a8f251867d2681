"""What every way to sign in ends with: the device as it describes itself, its key, and a session bound to it."""

from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from devices.models import Device, DeviceKey, PushPlatform
from devices.operations.activity import note_activity
from devices.operations.facts import MAX_LENGTHS, DeviceFacts, text_problems
from devices.operations.keys import keep_key, read_key
from devices.operations.registration import register_device
from devices.operations.replacing import make_room
from portal.accounts.actors import signed_in_actor
from portal.accounts.models import Application, User
from portal.accounts.operations.tokens import TokenPair, issue_device_session
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import ids
from portal.core.actor import Actor
from portal.core.errors import InvalidInput
from portal.core.json import canonical
from portal.crypto import jwts
from portal.crypto.keys import PublicKey, parse_public_key
from portal.crypto.signatures import read_hex, verify

KEY_PROOF: Final = "device-portal/key-proof/v1"  # another text than any other signature: none fits both


@dataclass(frozen=True, kw_only=True)
class NewDevice:
    """A device as it describes itself at its first sign-in. external_id: its own name for itself, "" for none."""

    external_id: str = ""
    kind: str = "mobile"
    nickname: str = ""
    manufacturer: str = ""
    model: str = ""
    os_name: str = ""
    os_version: str = ""
    sdk_version: str = ""
    language: str = ""
    firebase_token: str = ""

    def facts(self) -> DeviceFacts:
        """The same as registration takes it. Raises InvalidInput that names every problem."""
        facts = DeviceFacts(
            external_id=self.external_id or f"hyphen.{ids.new_id()}",
            kind=self.kind,
            nickname=self.nickname or None,
            manufacturer=self.manufacturer or None,
            model=self.model or None,
            operating_system=f"{self.os_name} {self.os_version}".strip() or None,
            push_platform=PushPlatform.GCM if self.firebase_token else None,
            push_handle=self.firebase_token or None,
        )
        facts.check()
        others = {"sdk_version": self.sdk_version, "language": self.language}
        if problems := [problem for name, text in others.items() for problem in text_problems(name, text)]:
            raise InvalidInput(fields=tuple(problems))
        return facts

    def plain(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class OfferedKey:
    """A new device's key, and whether it has signed what proves it; None where none was sent."""

    key: PublicKey | None
    proved: bool = False


@dataclass(frozen=True)
class SignedIn:
    """A customer, their device, and its session. The raw tokens are shown once."""

    customer: User
    device: Device
    tokens: TokenPair


def key_proof(application: Application, token: str, public_key: str, code: str = "") -> str:
    """The text (RFC 8785) that a new device's key signs to be proved at once: ours, the vendor's SDKs send none."""
    parts = {"domain": KEY_PROOF, "application": application.client_id, "token": token, "publicKey": public_key}
    return canonical({**parts, "activationCode": code}).decode()


def offered_key(application: Application, token: str, public_key: str, signature: str, code: str = "") -> OfferedKey:
    """The key that came with a new device. Raises InvalidInput at `public_key`, or at a wrong `signature`."""
    if not public_key and application.proves_possession:
        raise InvalidInput.at("public_key", "required", "Sessions of this application are bound to a key.")
    if not public_key:
        return OfferedKey(None)
    key = read_key(public_key)
    if not signature:
        return OfferedKey(key)
    if not holds(key, key_proof(application, token, public_key, code), signature):
        raise InvalidInput.at("signature", "signature-wrong", "The signature does not hold.")
    return OfferedKey(key, proved=True)


def holds(key: PublicKey, text: str, signature: str) -> bool:
    """Whether this is the key's signature, in hex, over the text's UTF-8 bytes."""
    raw = read_hex(signature)
    return raw is not None and verify(key, text.encode(), raw)


def enrol_device(
    caller: Actor,
    application: Application,
    customer: User,
    wanted: NewDevice,
    offered: OfferedKey,
    *,
    how: str,
    replaces: UUID | None = None,
) -> SignedIn:
    """Register the device, keep its key and open its session, in the caller's transaction; all or nothing.

    A device of the customer's own by the same external identifier is described anew, unless it has another key: then
    it has to be `replaces`, and ends. The customer's row is locked. Raises as `make_room`, `register_device` and
    `keep_key` do.
    """
    actor = signed_in_actor(caller, customer)
    if wanted.external_id:
        make_room(actor, customer, wanted.external_id, offered.key, proved=offered.proved, announced=replaces)
    facts = DeviceFacts(**{**vars(wanted.facts()), "nickname": _free_nickname(customer, wanted)})
    device = register_device(actor=actor, facts=facts).device
    Device.objects.filter(pk=device.pk).update(sdk_version=wanted.sdk_version, language=wanted.language)
    if offered.key is not None:
        keep_key(actor, device, offered.key, proved=offered.proved)
    return open_session(caller, application, customer, device, offered, how=how)


def open_session(
    caller: Actor, application: Application, customer: User, device: Device, offered: OfferedKey, *, how: str
) -> SignedIn:
    """A session of a device that was just let in, in the caller's transaction. Raises InvalidState.

    Where its key has not signed yet, the session has no part in two-factor requests.
    """
    key = offered.key
    actor = signed_in_actor(caller, customer, device.pk)
    name = jwts.thumbprint(jwts.jwk_of(key.key)) if application.proves_possession and key is not None else ""
    tokens = issue_device_session(
        actor=actor,
        application=application,
        user=customer,
        device=device,
        proved=offered.proved,
        key_thumbprint=name,
    )
    note_activity(device)  # so that the next request is asked of it
    details = {"how": how, "client": application.name, "proved": offered.proved}
    audit.record(actor, Event.DEVICE_SIGNED_IN, device, details=details)
    return SignedIn(customer, device, tokens)


def usable_keys(customer: User) -> int:
    """How many of the customer's active devices have a key that counts."""
    keys = DeviceKey.objects.in_use()
    return Device.objects.owned().active().filter(owner=customer, keys__in=keys).count()


def public_key_of(row: DeviceKey) -> PublicKey:
    return parse_public_key(row.public_key)


def _free_nickname(customer: User, wanted: NewDevice) -> str | None:
    """Two phones of a model say the same of themselves: the second gets a number, and its owner may rename it."""
    if not wanted.nickname:
        return None
    probe = Device(owner=customer)
    if wanted.external_id:
        known = Device.objects.in_use().owned().filter(owner=customer)
        probe = known.named_externally(customer.bank_id, wanted.external_id).first() or probe
    for number in range(1, 100):
        tail = f" {number}" if number > 1 else ""
        name = wanted.nickname[: MAX_LENGTHS["nickname"] - len(tail)] + tail
        probe.set_nickname(name)
        if not probe.nickname_taken():
            return name
    return wanted.nickname
