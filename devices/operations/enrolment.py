"""The first device of a customer: the bank's provider says who it is, an activation code that it may come in."""

from django.db import transaction

from devices.operations.device_sessions import NewDevice, SignedIn, enrol_device, offered_key, usable_keys
from portal.accounts.models import Application, User
from portal.core.actor import Actor
from portal.core.errors import Conflict
from twofa.operations.activation_codes import try_code, use_code
from twofa.operations.identifying import identify


def sign_up(
    *,
    actor: Actor,
    application: Application,
    method: str,
    token: str,
    activation_code: str,
    device: NewDevice,
    public_key: str = "",
    signature: str = "",
) -> SignedIn:
    """Enrol a customer's first device and open its session (Hyphen, sign-up). Not inside a transaction.

    actor: the mobile application. method, token: as `identify` takes them. signature: by the new key over
    `key_proof`; without one the key waits, and its first sign-in proves it. Device, key, code and
    session stand or fall together.
    Raises what `identify` and `register_device` raise; VerificationFailed `activation-code-wrong`, a try counted;
    Conflict `already-signed-up` where an active device could approve instead, `key-in-use`.
    """
    customer = identify(actor, application, method, token).customer
    device.facts()
    offered = offered_key(application, token, public_key, signature, activation_code)
    code = try_code(actor, customer, activation_code)
    with transaction.atomic():
        customer = User.objects.select_for_update(no_key=True).get(pk=customer.pk)
        if usable_keys(customer):
            raise Conflict(
                "This customer has a device already: sign in, and approve there.", code="already-signed-up"
            )
        use_code(actor, code)
        return enrol_device(actor, application, customer, device, offered, how="activation-code")
