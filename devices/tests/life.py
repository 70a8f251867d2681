"""What hangs on a device in the middle of its life, and a second person who says yes."""

from datetime import timedelta

from devices.models import Device, DevicePin, Fingerprint, PinReset, Transfer
from devices.states import TransferState
from devices.tests.factories import make_customer, make_key, make_staff, make_token, staff_actor
from merchants.tests.factories import make_link
from portal.accounts.models import TotpAuthenticator, User
from portal.accounts.operations.second_factor import Factor, Verified
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalRequest
from portal.approvals.operations import approve_request
from portal.core import clock


def hang_everything_on(device: Device, *, sessions: int = 2) -> None:
    """Sessions, a PIN with a reset on its way, an open transfer, a link, a fingerprint and a key."""
    now = clock.now()
    for _ in range(sessions):
        make_token(user=device.owner, device=device)
    DevicePin.objects.create(device=device, digest="digest", created_at=now, changed_at=now)
    PinReset.objects.create(
        device=device,
        owner=device.owner,
        method="SMS",
        sent=True,
        code_digest="0" * 64,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    make_transfer(device, make_customer(device.bank, "Cem"))
    make_link(device)
    make_fingerprint(device)
    if not device.keys.exists():
        make_key(device, str(device.pk))


def make_transfer(device: Device, new_owner: User, state: str = TransferState.PENDING_APPROVAL) -> Transfer:
    now = clock.now()
    closed = now if state in {TransferState.REJECTED, TransferState.CANCELLED, TransferState.EXPIRED} else None
    return Transfer.objects.create(
        bank=device.bank,
        device=device,
        old_owner=device.owner,
        new_owner=new_owner,
        reason="Sold it",
        state=state,
        requested_at=now,
        expires_at=now + timedelta(days=7),
        closed_at=closed,
    )


def make_fingerprint(device: Device, hash_: str = "") -> Fingerprint:
    now = clock.now()
    return Fingerprint.objects.create(
        bank=device.bank,
        owner=device.owner,
        device=device,
        hash=hash_ or device.pk.hex * 2,
        platform="ios",
        application_name="Harbour",
        application_version="1.0",
        first_seen_at=now,
        last_seen_at=now,
    )


def approve(request_id: str = "") -> ApprovalRequest:
    """Avi, an approver, looks at the request (the only open one) and says yes, with a fresh second factor."""
    request = ApprovalRequest.objects.open().get()
    assert request_id in {"", request.public_id}
    avi = make_staff(request.bank, Role.APPROVER, "Avi")
    authenticator = TotpAuthenticator(user=avi, name="app", confirmed=True)
    proof = Verified(avi.pk, clock.now(), Factor.TOTP, authenticator, 0)
    return approve_request(
        actor=staff_actor(avi),
        request_id=request.public_id,
        seen=request.payload_digest,
        reason="Checked",
        proof=proof,
    )
