"""A device that sends the request for its new certificate itself: with a new key, or with the one it has."""

from dataclasses import dataclass
from typing import Final

from pki.certificate_policies import issuing_authority, policy_of, profile_of
from pki.models import Certificate, Rotation, RotationType
from pki.operations import rotation_ledger as ledger
from pki.operations.issuance import Reserved, Wanted, make, reserve
from pki.operations.past import require_few_lately
from pki.operations.request_steps import require_key_usable
from pki.operations.rotation_terms import granted_again
from pki.operations.rotation_work import CLAIM, Claim, clear_planned_id, failed, key_problem
from pki.operations.rotations import certificate_to_rotate, device_to_rotate, open_rotation, plan
from pki.policies import require_request
from pki.states import RotationState
from pki.x509.requests import CheckedRequest
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, InvalidState, Unavailable
from portal.races import retried_on_conflict

BUSY: Final = (RotationState.SIGNING, RotationState.OVERLAP)


@dataclass(frozen=True)
class _Begun:
    claim: Claim
    reserved: Reserved
    asked: bool  # the device was asked for a key


def rotate_with_key(*, actor: Actor, device_id: str, request: CheckedRequest, early: bool = False) -> Certificate:
    """Renew a device's certificate with the key of its own request. Not inside a transaction.

    The new certificate is signed at once and returned; the old one stays good until the device proves the new one, or
    the overlap ends. It finishes the rotation that waits for the device, or is one of its own (MANUAL). request: it
    passed the gate; who it says it is, the caller has checked. early: with a new key also before the renewal window.
    Raises what `rotate_certificate` and `require_key_usable` raise, InvalidState `key-too-old` for the old key where
    another is needed, Conflict `rotation-open` while one is being signed or not proved yet, RateLimited
    `too-many-certificates`, Unavailable.
    """
    require_request(actor)
    begun = _begin(actor, device_id, request, early)
    try:
        return make(actor, begun.reserved)
    except DomainError as refused:
        failed(actor, begun.claim, refused.message, waits_for_device=begun.asked)
        raise
    except Exception as error:
        failed(actor, begun.claim, "An error of the portal; its log says more.", waits_for_device=begun.asked)
        raise Unavailable("The certificate cannot be signed right now.", code="signing-failed") from error


@retried_on_conflict
def _begin(actor: Actor, device_id: str, request: CheckedRequest, early: bool) -> _Begun:
    device = device_to_rotate(actor, device_id)
    rotation = open_rotation(device)
    if rotation is not None and rotation.state in BUSY:
        raise Conflict("The certificate is being renewed, or the new one is not proved yet.", code="rotation-open")
    is_same = Certificate.objects.current().filter(device=device, key_fingerprint=request.key.fingerprint).exists()
    old = certificate_to_rotate(device, early=(early and not is_same) or rotation is not None)
    policy = policy_of(device.bank_id)
    profile = profile_of(policy, old.profile)
    if is_same and (problem := key_problem(old, policy, profile)):
        raise InvalidState(f"{problem} Send a new key.", code="key-too-old")
    require_key_usable(device, request.key, policy)
    require_few_lately(device)
    if request.key.kind not in profile.keys:
        raise InvalidState("The bank does not certify keys of this kind.", code="key-not-in-profile")
    authority = issuing_authority(device.bank_id)
    if rotation is None:
        rotation = plan(device, old, authority, RotationType.MANUAL)
        rotation.by_device = True
        rotation.save(force_insert=True)
        ledger.record(actor, Event.ROTATION_PLANNED, rotation, None)
    asked = rotation.state == RotationState.AWAITING_DEVICE
    claim = _take(rotation)
    clear_planned_id(actor, rotation)
    wanted = Wanted(
        device=device,
        key=request.key,
        profile=profile,
        granted=granted_again(old, profile, request.key.kind),
        authority=authority,
        policy=policy,
        replaces=old,
        certificate_id=rotation.new_id_planned,
        key_since=old.key_since if is_same else None,
    )
    return _Begun(claim, reserve(actor, wanted), asked)


def _take(rotation: Rotation) -> Claim:
    until = clock.now() + CLAIM
    rotation.move_to(RotationState.SIGNING)
    rotation.attempts += 1
    rotation.claim_until = rotation.next_try_at = until
    rotation.save(update_fields=["state", "attempts", "claim_until", "next_try_at"])
    return Claim(rotation.pk, rotation.device_id, rotation.bank_id, until)
