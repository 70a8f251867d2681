"""Checking what authenticators answer (WebAuthn level 3), through the `webauthn` library.

The library is loaded when it is first needed: with what it brings it costs more than a start of the portal.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm

LONGEST_ANSWER: Final = 16 * 1024  # characters; without an attestation an answer has about one thousand
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")  # base64url; ours have 43 characters
LONGEST_ID: Final = 1023  # bytes, WebAuthn 6.1.1
# COSE names of ES256 and RS256, which every authenticator has one of. Ed25519 is left out: the library takes public
# keys of small order, for which anybody can sign.
ALGORITHMS: Final = (-7, -257)


class Refused(ValueError):
    """The answer proves nothing. The text says why, for tests; nobody else is told."""


@dataclass(frozen=True)
class Site:
    """Who asks. name: for people. domain: what passkeys are bound to. origins: where browsers may answer from."""

    name: str
    domain: str
    origins: tuple[str, ...]


@dataclass(frozen=True)
class Person:
    """Whose passkey it is to be. handle: bytes that say nothing about them."""

    handle: bytes
    username: str
    name: str


@dataclass(frozen=True)
class NewPasskey:
    """What is kept of a passkey. public_key: in COSE's form. synced: whether it is kept by a service, too."""

    credential_id: bytes
    public_key: bytes
    uses: int
    synced: bool


def registration_options(site: Site, person: Person, challenge: bytes, known: Sequence[bytes]) -> str:
    """What the browser is to make, as JSON. known: the person's passkeys, so that none is made twice."""
    import webauthn
    from webauthn.helpers import cose, structs

    options = webauthn.generate_registration_options(
        rp_id=site.domain,
        rp_name=site.name,
        user_id=person.handle,
        user_name=person.username,
        user_display_name=person.name,
        challenge=challenge,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.DISCOURAGED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
        supported_pub_key_algs=[cose.COSEAlgorithmIdentifier(name) for name in ALGORITHMS],
    )
    return str(webauthn.options_to_json(options))


def assertion_options(site: Site, challenge: bytes, known: Sequence[bytes]) -> str:
    """What the browser is to prove with one of the known passkeys, as JSON."""
    import webauthn
    from webauthn.helpers import structs

    options = webauthn.generate_authentication_options(
        rp_id=site.domain,
        challenge=challenge,
        allow_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return str(webauthn.options_to_json(options))


def check_registration(site: Site, challenge: bytes, answer: str) -> NewPasskey:
    """The passkey that was made for this challenge, by a person whom it has verified. Raises Refused."""
    import webauthn
    from webauthn.helpers import cose

    made: Any = _checked(
        lambda: webauthn.verify_registration_response(
            credential=_read(answer),
            expected_challenge=challenge,
            expected_rp_id=site.domain,
            expected_origin=list(site.origins),
            require_user_verification=True,
            supported_pub_key_algs=[cose.COSEAlgorithmIdentifier(name) for name in ALGORITHMS],
        )
    )
    _checked(lambda: _load(made.credential_public_key))  # nothing was signed with it yet, so nobody has looked
    if not 0 < len(made.credential_id) <= LONGEST_ID:
        raise Refused("the credential id is empty or too long")
    synced = bool(made.credential_backed_up)
    return NewPasskey(bytes(made.credential_id), bytes(made.credential_public_key), int(made.sign_count), synced)


def check_assertion(site: Site, challenge: bytes, answer: str, public_key: bytes, uses: int) -> int:
    """How often the passkey says it was used, when it signed this challenge for a person whom it has verified.

    uses: what it said last; a lower number comes from a copy. Raises Refused.
    """
    import webauthn

    proved: Any = _checked(
        lambda: webauthn.verify_authentication_response(
            credential=_read(answer),
            expected_challenge=challenge,
            expected_rp_id=site.domain,
            expected_origin=list(site.origins),
            credential_public_key=public_key,
            credential_current_sign_count=uses,
            require_user_verification=True,
        )
    )
    return int(proved.new_sign_count)


def named_in(answer: str) -> tuple[str, bytes]:
    """(challenge as it was sent, credential id): what an answer claims, to look both up. Raises Refused."""
    return _checked(lambda: _named(_read(answer)))


def spelled(data: bytes) -> str:
    """Bytes as WebAuthn spells them: base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unspelled(text: str) -> bytes:
    """The bytes of `spelled`. Raises ValueError."""
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


def _load(public_key: bytes) -> object:
    """The key, to see that it is one."""
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

    return decoded_public_key_to_cryptography(decode_credential_public_key(public_key))


def _named(answer: dict[str, Any]) -> tuple[str, bytes]:
    client = json.loads(unspelled(answer["response"]["clientDataJSON"]))
    challenge = client["challenge"]
    if not isinstance(challenge, str) or not _CHALLENGE.fullmatch(challenge):
        raise Refused("no challenge")
    return challenge, unspelled(answer["rawId"])


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > LONGEST_ANSWER:
        raise Refused("too long")
    value = json.loads(answer)
    if not isinstance(value, dict):
        raise Refused("no object")
    return value


def _checked[R](work: Callable[[], R]) -> R:
    """The result; whatever a hostile answer makes the libraries raise is Refused."""
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        return work()
    except Refused:
        raise
    except (WebAuthnException, UnsupportedAlgorithm, ValueError, LookupError, ArithmeticError) as error:
        raise Refused(str(error)) from error
    except (TypeError, AttributeError, RecursionError, NotImplementedError) as error:
        raise Refused(str(error)) from error
