"""The answer of the addressed device: once, and final.

A signature is checked before anything is locked; then one conditional update decides, on the very round that was
signed. Whoever comes second finds the request closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F

from devices.models import Device, DeviceKey
from portal import vault
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState, VerificationFailed
from portal.crypto.codes import same
from portal.crypto.keys import PublicKey, parse_public_key
from portal.crypto.signatures import read_hex, verify
from twofa.messages import signer_of
from twofa.models import Answer, TwoFactorRequest
from twofa.operations.alerts import alert_not_me
from twofa.operations.contents import message_of, number_digest
from twofa.operations.openness import require_open
from twofa.operations.telling import tell_application, tell_source
from twofa.operations.transaction_ids import is_good
from twofa.policies import require_destination, require_device
from twofa.queries.requests import find_request
from twofa.states import Decision, Proof, RequestState

LONGEST_TX_ID: Final = 256
WRONG_NUMBERS: Final = 3  # our own policy: so many wrong numbers close a request
ANSWER: Final = "twofa.answer"


@dataclass(frozen=True)
class _Proven:
    """What an answer rests on."""

    proof: Proof
    key_id: UUID | None = None
    fingerprint: str = ""
    signature: str = ""
    tx_id: str = ""


def approve_request(
    *, actor: Actor, id: str, tx_id: str = "", signature: str = "", number: str = ""
) -> TwoFactorRequest:
    """Approve what was asked of the actor's own device (Hyphen, "Approve 2FA request"). Not inside a transaction.

    signature: hex of the device key's signature over the UTF-8 bytes of the request's message, required unless the
    request's proof is a transaction id. tx_id: kept beside it; without one, SHA-256 of the signature. number: what
    the waiting side shows, where numbers are matched; the third wrong one closes the request. A second answer is a
    Conflict. Raises NotFound, Forbidden (`device-token-needed`, `not-the-destination`), Conflict (`request-closed`,
    `request-changed`), InvalidState (`request-expired`, `device-not-active`, `no-approval-key`), InvalidInput, and
    VerificationFailed (`signature-wrong`, `tx-id-refused`, `number-wrong`), which is counted and approves nothing.
    """
    request = _addressed(actor, id)
    if len(tx_id) > LONGEST_TX_ID:
        raise InvalidInput.at("tx_id", "max-length", f"This has at most {LONGEST_TX_ID} characters.")
    unsigned = request.proof == Proof.TRANSACTION_ID
    proven = _by_tx_id(actor, request, tx_id) if unsigned else _by_signature(actor, request, tx_id, signature)
    if request.number_digest:
        _require_number(actor, request, number)
    return _answer(actor, request, Decision.APPROVED, proven)


def deny_request(*, actor: Actor, id: str, not_me: bool = False) -> TwoFactorRequest:
    """Deny what was asked of the actor's own device (Hyphen, "Deny 2FA"). Nothing is signed: the token says who.

    not_me: somebody else asked; the session that waits is ended, and staff are alerted. A second answer is a
    Conflict. Raises as `approve_request` does for the request and its state.
    """
    request = _addressed(actor, id)
    return _answer(actor, request, Decision.DENIED, _Proven(Proof.TOKEN), not_me=not_me)


def signed_message_of(answer: Answer) -> str:
    """The very text that was signed, or that the device was shown when nothing was."""
    return vault.unseal(ANSWER, answer.pk, answer.message_sealed)


def _addressed(actor: Actor, id: str) -> TwoFactorRequest:
    require_device(actor)
    request = find_request(actor, id)
    require_destination(actor, request)
    require_open(request)
    return request


def _by_tx_id(actor: Actor, request: TwoFactorRequest, tx_id: str) -> _Proven:
    if not tx_id:
        raise InvalidInput.at("tx_id", "required", "A transaction id is required.")
    if not is_good(request, tx_id):
        raise _counted(actor, request, "tx-id-refused", "The transaction id was not accepted.")
    return _Proven(Proof.TRANSACTION_ID, tx_id=tx_id)


def _by_signature(actor: Actor, request: TwoFactorRequest, tx_id: str, signature: str) -> _Proven:
    if not signature:
        raise InvalidInput.at("signature", "required", "The signature of the message is required.")
    message, key = message_of(request), _key_of(request)
    if key is None or key.fingerprint != signer_of(message):
        raise InvalidState("The key that was asked is not in use any more.", code="no-approval-key")
    raw = read_hex(signature)
    if raw is None or not verify(key, message.encode(), raw):
        raise _counted(actor, request, "signature-wrong", "The signature does not hold.")
    return _Proven(Proof.SIGNATURE, request.key_id, key.fingerprint, raw.hex(), tx_id or sha256(raw).hexdigest())


def _key_of(request: TwoFactorRequest) -> PublicKey | None:
    return None if request.key_text is None else parse_public_key(request.key_text)


@transaction.atomic(durable=True)
def _counted(actor: Actor, request: TwoFactorRequest, code: str, message: str) -> VerificationFailed:
    """A wrong proof is counted and written down; it never closes the request."""
    rows = TwoFactorRequest.objects.filter(pk=request.pk)
    rows.update(wrong_signatures=F("wrong_signatures") + 1)
    details = {"wrong": rows.values_list("wrong_signatures", flat=True)[0], "kind": request.kind}
    audit.record_refusal(actor, Event.TWO_FACTOR_FAILED, request, code=code, details=details)
    return _refusal(message, code)


def _require_number(actor: Actor, request: TwoFactorRequest, number: str) -> None:
    """The number is looked at under the lock, so that of many at once three are; a wrong one is counted first."""
    with transaction.atomic(durable=True):
        found = TwoFactorRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
        require_open(found)
        if found.request_id != request.request_id:
            raise Conflict("The request was asked again meanwhile.", code="request-changed")
        if same(number_digest(found, number), found.number_digest):
            return
        _count_wrong_number(actor, found)
    raise _refusal("This is not the number that is shown.", "number-wrong")


def _count_wrong_number(actor: Actor, request: TwoFactorRequest) -> None:
    """At the third the request is closed, whatever else is on its way. Its row is locked."""
    request.wrong_numbers += 1
    closes = request.wrong_numbers >= WRONG_NUMBERS
    if closes:
        request.state, request.closed_at = RequestState.CANCELLED, clock.now()
        request.close_reason = "Too many wrong numbers."
    request.save(update_fields=["wrong_numbers", "state", "closed_at", "close_reason"])
    if closes:
        closed = TwoFactorRequest.objects.whole().get(pk=request.pk)
        tell_source(closed)
        tell_application(closed)
    details = {"wrong": request.wrong_numbers, "kind": request.kind, "state": RequestState(request.state).value}
    audit.record_refusal(actor, Event.TWO_FACTOR_FAILED, request, code="number-wrong", details=details)


def _refusal(message: str, code: str) -> VerificationFailed:
    refusal = VerificationFailed(message, code=code)
    refusal.audited = True
    return refusal


@transaction.atomic
def _answer(
    actor: Actor, request: TwoFactorRequest, decision: Decision, proven: _Proven, *, not_me: bool = False
) -> TwoFactorRequest:
    """The device's lock first: whoever takes it out of use waits, or was faster."""
    device = Device.objects.select_for_update(of=("self",)).get(pk=request.destination_id)
    if not device.is_active or device.owner_id != request.account_id:
        raise InvalidState("The device is not in use.", code="device-not-active")
    now = clock.now()
    _decide(request, decision, proven, now)
    message = message_of(request)
    request.answer = Answer.objects.create(
        request=request,
        decision=decision,
        device=device,
        key_id=proven.key_id,
        proof=proven.proof,
        verified=proven.proof == Proof.SIGNATURE,
        signature=proven.signature,
        tx_id=proven.tx_id,
        not_me=not_me,
        message_sealed=vault.seal(ANSWER, request.pk, message),
        answered_at=now,
    )
    _write_down(actor, request, request.answer, _commitments(request, message, proven))
    if not_me:
        alert_not_me(actor, request)
    tell_source(request)
    tell_application(request)
    return request


def _decide(request: TwoFactorRequest, decision: Decision, proven: _Proven, now: datetime) -> None:
    """One conditional update: of the round that was looked at, while it waits, with a key that is still in use."""
    waiting = TwoFactorRequest.objects.filter(
        pk=request.pk,
        request_id=request.request_id,
        state=RequestState.PENDING,
        destination=request.destination_id,
        expires_at__gt=now,
    )
    if proven.key_id is not None:
        waiting = waiting.filter(Exists(DeviceKey.objects.filter(pk=proven.key_id, retired_at=None)))
    state = RequestState(decision.value)
    if not waiting.update(state=state, closed_at=now):
        request.refresh_from_db(fields=["state", "expires_at"])
        require_open(request)
        raise Conflict("The request was asked again meanwhile.", code="request-changed")
    request.state, request.closed_at = state, now


def salt_of(request: TwoFactorRequest) -> str:
    """What is bound with the message: a caller's own text, which could be guessed, is hidden by it. "" for ours."""
    return vault.digest("twofa.evidence", request.pk, "salt") if request.proof == Proof.TRANSACTION_ID else ""


def _digest(salt: str, message: str) -> str:
    """Both are hashed first where there is a salt, so that no character moves from one to the other."""
    parts = [sha256(part.encode()).digest() for part in (salt, message)]
    return sha256(b"".join(parts)).hexdigest() if salt else parts[1].hex()


def _commitments(request: TwoFactorRequest, message: str, proven: _Proven) -> dict[str, str]:
    """What the audit log binds the answer to: digests of the message and the signature, the key, the transaction id.

    Ours has a nonce inside, so that its digest gives nothing away.
    """
    found = {
        "message": _digest(salt_of(request), message),
        "signature": sha256(bytes.fromhex(proven.signature)).hexdigest() if proven.signature else "",
        "fingerprint": proven.fingerprint,
        "tx_id": proven.tx_id,
    }
    return {name: text for name, text in found.items() if text}


def _write_down(actor: Actor, request: TwoFactorRequest, answer: Answer, binds: Mapping[str, str]) -> None:
    approved = answer.decision == Decision.APPROVED
    details = {
        "kind": request.kind,
        "request": str(request.request_id),
        "proof": Proof(answer.proof).value,
        "signed": answer.verified,
        **({"key": str(answer.key_id)} if answer.key_id else {}),
        **({"not_me": True} if answer.not_me else {}),
        **binds,
    }
    event = Event.TWO_FACTOR_APPROVED if approved else Event.TWO_FACTOR_DENIED
    audit.record(actor, event, request, after={"state": RequestState(request.state).value}, details=details)
