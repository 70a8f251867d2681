"""What a new certificate takes over from the one before: its key, and what it is good for."""

from datetime import timedelta

from cryptography import x509

from pki.models import Certificate
from pki.x509.asking import Asked, Granted, check_asked
from pki.x509.describe import describe_certificate
from pki.x509.findings import RequestRefused
from pki.x509.keys_policy import CheckedKey, describe_key
from pki.x509.profiles import Profile
from portal.core.errors import InvalidState


def parsed(certificate: Certificate) -> x509.Certificate:
    """An issued certificate, read."""
    return x509.load_der_x509_certificate(bytes(certificate.der or b""))


def key_of(certificate: Certificate) -> CheckedKey:
    """Its key. It was checked when it was certified first."""
    key = describe_key(parsed(certificate).public_key())
    if key is None:
        raise InvalidState("The certificate's key is of no kind that is certified.", code="key-not-in-profile")
    return key


def granted_again(old: Certificate, profile: Profile, kind: str = "") -> Granted:
    """What the old one was good for, as far as the profile still gives it, and for as long as it was.

    kind: of the new key, where it is another. Raises InvalidState `profile-narrowed` when nothing would be left.
    """
    said = describe_certificate(parsed(old))
    kind = kind or old.key_algorithm
    asked = Asked(
        uses=tuple(word for word in said.uses if word in profile.uses_for(kind)),
        purposes=tuple(word for word in said.purposes if word in profile.purposes),
        days=_days(old, profile),
    )
    try:
        return check_asked(asked, profile, kind)
    except RequestRefused as refused:
        rules = ", ".join(refused.rules)
        raise InvalidState(
            f"The profile gives nothing of what it was good for ({rules}).", code="profile-narrowed"
        ) from None


def _days(old: Certificate, profile: Profile) -> int | None:
    """A shorter life was asked for, and stays; one that its authority's end cut short does not."""
    days = (old.not_after - old.not_before + timedelta(seconds=1)).days  # both ends count
    return None if old.not_after >= old.authority.not_after or days < 1 else min(days, profile.max_days)
