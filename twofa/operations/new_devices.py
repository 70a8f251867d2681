"""How a device describes itself that waits to be let in: sealed until its sign-in is finished."""

import json
from collections.abc import Mapping
from typing import Final

from portal import vault
from twofa.models import NewDeviceSignIn, TwoFactorRequest

FACTS: Final = "new_device.facts"
HANDLE: Final = "firebase_token"  # the one of the facts that is needed before it is let in


def seal_facts(request: TwoFactorRequest, facts: Mapping[str, str]) -> str:
    """What `facts_of` opens again, for this request only."""
    return vault.seal(FACTS, request.pk, json.dumps(facts))


def facts_of(row: NewDeviceSignIn) -> dict[str, str]:
    """The device as it described itself."""
    found: dict[str, str] = json.loads(vault.unseal(FACTS, row.request_id, row.facts_sealed))
    return found


def handle_of(request: TwoFactorRequest) -> str:
    """Where the waiting device receives pushes; "" for nowhere, and for a request that no new device waits for."""
    row = NewDeviceSignIn.objects.filter(request=request).first()
    return "" if row is None else facts_of(row).get(HANDLE, "")
