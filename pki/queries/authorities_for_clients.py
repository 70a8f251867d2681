"""What standard clients are told before they enrol: whom to trust, and how to make a request."""

from typing import Final

from pki.certificate_policies import policy_of, profile_of
from pki.models import CertificateAuthority
from pki.states import CaRole, CaState
from pki.x509 import der
from portal.accounts.models import Bank
from portal.core.errors import NotFound

# What a request should be made with, best first: the key as an attribute, its parameter, and a signature algorithm.
_EC: Final = "1.2.840.10045.2.1"
_RSA: Final = "1.2.840.113549.1.1.1"
_WANTED: Final = {
    "p256": (_EC, der.encode(der.OID, der.encode_oid("1.2.840.10045.3.1.7")), "1.2.840.10045.4.3.2"),
    "p384": (_EC, der.encode(der.OID, der.encode_oid("1.3.132.0.34")), "1.2.840.10045.4.3.3"),
    "rsa-3072": (_RSA, der.encode_integer(3072), "1.2.840.113549.1.1.11"),
    "rsa-2048": (_RSA, der.encode_integer(2048), "1.2.840.113549.1.1.11"),
    "rsa-4096": (_RSA, der.encode_integer(4096), "1.2.840.113549.1.1.11"),
}
_ED25519: Final = "1.3.101.112"


def bank_of_label(label: str) -> Bank:
    """The bank whose code a path names; without one, the only bank that issues. Raises NotFound."""
    if label:
        bank = Bank.objects.filter(code=label).first()
    else:
        issuing = CertificateAuthority.objects.filter(role=CaRole.ISSUING, state=CaState.ACTIVE)
        banks = [authority.bank for authority in issuing.select_related("bank")[:2]]
        bank = banks[0] if len(banks) == 1 else None
    if bank is None:
        raise NotFound("There is nothing at this address.")
    return bank


def certificates_for(bank: Bank) -> list[bytes]:
    """In DER: the bank's authorities that issue or still answer, the newest first, then the roots above them.

    Raises NotFound where there is none. One query.
    """
    rows = CertificateAuthority.objects.answering().filter(bank=bank).select_related("parent")
    issuing = list(rows.order_by("-not_before"))
    if not issuing:
        raise NotFound("There is nothing at this address.")
    roots = {authority.parent.pk: authority.parent for authority in issuing if authority.parent}
    return [bytes(authority.der) for authority in (*issuing, *roots.values())]


def wanted_of_requests(bank: Bank) -> bytes:
    """CsrAttrs (RFC 7030 4.5.2) in DER: a key of the best kind that the bank certifies. Raises InvalidState."""
    keys = profile_of(policy_of(bank.pk), "device").keys
    kind = next((kind for kind in _WANTED if kind in keys), None)
    if kind is None:
        return der.sequence([der.encode(der.OID, der.encode_oid(_ED25519))])
    algorithm, parameter, signature = _WANTED[kind]
    attribute = der.sequence([der.encode(der.OID, der.encode_oid(algorithm)), der.encode(der.SET, parameter)])
    return der.sequence([attribute, der.encode(der.OID, der.encode_oid(signature))])
