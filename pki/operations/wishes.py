"""What somebody wants a certificate for, judged before anything is stored: a key, and what is asked of it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devices.models import Device
from devices.querysets import read_device_id
from pki.operations import server_keys
from pki.operations.refusals import broken, by_registry
from pki.x509.findings import RequestRefused
from pki.x509.intake import request_bytes
from pki.x509.profiles import Profile
from pki.x509.requests import CheckedRequest, check_request
from portal.core.errors import InvalidInput

KINDS: Final[Mapping[str, Mapping[int | None, str]]] = {
    "RSA": {None: "rsa-3072", 2048: "rsa-2048", 3072: "rsa-3072", 4096: "rsa-4096"},
    "EC": {None: "p256", 256: "p256", 384: "p384"},
    "ED25519": {None: "ed25519", 256: "ed25519"},
}


@dataclass(frozen=True)
class Wish:
    """A request that passed the gate. private: the key as base64 of PKCS #8, where it was made here."""

    checked: CheckedRequest
    private: str = ""


@dataclass(frozen=True, kw_only=True)
class KeyOrder:
    """A key to be made here. size: in bits, None for what we take. subject, names: claims that the request holds."""

    algorithm: str
    size: int | None
    subject: Mapping[str, str]
    names: Sequence[str]


def wish_of_request(csr: bytes | str, device: Device, profile: Profile) -> Wish:
    """The device's own request: DER or PEM in bytes, or as text in PEM or base64. Raises RulesBroken."""
    try:
        checked = check_request(csr if isinstance(csr, bytes) else request_bytes(csr), profile=profile)
    except RequestRefused as refused:
        raise broken(refused) from None
    _require_name(device, checked.common_name)
    return Wish(checked)


def wish_for_key(order: KeyOrder, device: Device, profile: Profile) -> Wish:
    """A key made here, with a request that holds the claims. Takes long (RSA): outside of any transaction.

    Raises InvalidInput, RulesBroken, RateLimited `key-making-busy`.
    """
    kind = _kind(order, profile)
    subject = {"CN": device.public_id, **order.subject}
    _require_name(device, subject["CN"])
    try:
        claims = server_keys.claims_of(subject, order.names)
        if kind.startswith("rsa-"):  # what the gate refuses is known before the slow key is made
            check_request(server_keys.make("p256", claims, holder="").request, profile=profile)
        made = server_keys.make(kind, claims, holder=str(device.owner_id))
        return Wish(check_request(made.request, profile=profile), base64.b64encode(made.private).decode())
    except RequestRefused as refused:
        raise broken(refused, "ask-refused") from None


def asked_of(checked: CheckedRequest) -> dict[str, Any]:
    """What a request asks for, in plain values: for people to look at, and to tell whether it came before."""
    return {
        "subject": [list(pair) for pair in checked.subject],
        "names": [list(name) for name in checked.names],
        "uses": None if checked.asked.uses is None else sorted(checked.asked.uses),
        "purposes": None if checked.asked.purposes is None else sorted(checked.asked.purposes),
    }


def _kind(order: KeyOrder, profile: Profile) -> str:
    sizes = KINDS.get(order.algorithm)
    if sizes is None:
        raise InvalidInput.at("key_algorithm", "unknown-enum", f"One of: {', '.join(KINDS)}.")
    if order.size not in sizes:
        known = ", ".join(str(size) for size in sizes if size)
        raise InvalidInput.at("key_size", "unknown-enum", f"One of: {known}.")
    if sizes[order.size] not in profile.keys:
        raise InvalidInput.at("key_algorithm", "unknown-enum", f"The profile {profile.name} takes no such key.")
    return sizes[order.size]


def _require_name(device: Device, common_name: str | None) -> None:
    """A request has to mean this device by its name, so that nobody files one that was made for another."""
    if common_name is None:
        raise by_registry("cn-missing")
    if common_name == device.external_id or read_device_id(common_name) == device.pk:
        return
    raise by_registry("cn-not-device")
