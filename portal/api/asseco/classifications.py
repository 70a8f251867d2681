"""The closed lists of words that Asseco's clients may look up, under the schema ids of the vendor's own lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devices.models import ISSUED_KINDS, CardKind, ExternalIdKind, Kind, PushPlatform
from devices.operations.issued_facts import CAPABILITIES
from devices.states import CardStatus
from portal.api.asseco.wire import STATUSES
from portal.core.errors import NotFound

_ABILITIES: Final = {
    "hmac": "Keyed message codes (HMAC)",
    "pki": "Signs with a private key",
    "secure-element": "Secure element",
    "magnetic-stripe": "Magnetic stripe",
    "push": "Push messages",
    "telephony": "Telephony",
    "sms": "SMS",
    "icc": "Chip with contacts",
    "nfc": "Contactless",
    "display": "Display",
}
_DEVICE_STATUSES: Final = {
    "active": "May use banking services",
    "blocked": "May not use banking services now",
    "unregistered": "Out of use for good",
}


@dataclass(frozen=True)
class Value:
    """One word. code: its number in the list, from 1, as text."""

    literal: str
    code: str
    description: str
    parent_literal: None = None


@dataclass(frozen=True)
class Classification:
    """One list of words."""

    schema_id: str
    name: str
    description: str
    values: Sequence[Value]


def _list(schema_id: str, name: str, description: str, words: Mapping[str, str]) -> Classification:
    values = [Value(word, str(number), text) for number, (word, text) in enumerate(words.items(), 1)]
    return Classification(schema_id, name, description, values)


def _labels(choices: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {str(value): str(label) for value, label in choices}


CLASSIFICATIONS: Final = {
    one.schema_id: one
    for one in (
        _list(
            "device-statuses",
            "Device statuses",
            "What an owned device may do now.",
            {word: _DEVICE_STATUSES[word] for word in STATUSES},
        ),
        _list(
            "card-statuses",
            "Card statuses",
            "What a payment card is to its holder.",
            _labels(CardStatus.choices),
        ),
        _list(
            "device-kinds",
            "Device kinds",
            "What the bank issues.",
            {kind.value: Kind(kind).label for kind in ISSUED_KINDS},
        ),
        _list(
            "device-capabilities",
            "Device capabilities",
            "What a device can do technically.",
            {word: _ABILITIES[word] for word in CAPABILITIES},
        ),
        _list("card-kinds", "Card kinds", "How the use of a payment card is paid for.", _labels(CardKind.choices)),
        _list(
            "device-id-kinds",
            "Device id kinds",
            "What an owned device's external id is.",
            _labels(ExternalIdKind.choices),
        ),
        _list("push-platforms", "Push platforms", "Who delivers push messages.", _labels(PushPlatform.choices)),
    )
}


def classification(schema_id: str) -> Classification:
    """One list by its id. Raises NotFound."""
    found = CLASSIFICATIONS.get(schema_id)
    if found is None:
        raise NotFound("There is no such classification.")
    return found
