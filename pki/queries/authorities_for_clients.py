"""What standard clients are told before they enrol: whom to trust, and which keys are taken."""

from collections.abc import Collection

from pki.certificate_policies import policy_of, profile_of
from pki.models import CertificateAuthority
from pki.states import CaRole, CaState
from portal.accounts.models import Bank
from portal.core.errors import NotFound


def only_issuing_bank() -> Bank | None:
    """The bank that issues, where there is one alone."""
    issuing = CertificateAuthority.objects.filter(role=CaRole.ISSUING, state=CaState.ACTIVE)
    banks = [authority.bank for authority in issuing.select_related("bank")[:2]]
    return banks[0] if len(banks) == 1 else None


def certificates_for(bank: Bank) -> list[bytes]:
    """In DER: the bank's authorities that issue or still answer, the newest first, then the roots above them.

    Raises NotFound where there is none. One query.
    """
    rows = CertificateAuthority.objects.answering().filter(bank=bank).select_related("parent")
    issuing = list(rows.order_by("-not_before"))
    if not issuing:
        raise NotFound("The bank has no certificate authority yet.")
    roots = {authority.parent.pk: authority.parent for authority in issuing if authority.parent}
    return [bytes(authority.der) for authority in (*issuing, *roots.values())]


def keys_taken(bank: Bank) -> Collection[str]:
    """The kinds of keys that the bank certifies in devices. Raises InvalidState where it has no authority."""
    return profile_of(policy_of(bank.pk), "device").keys
