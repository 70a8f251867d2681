"""What a request should be made with, as standard clients ask for it: CsrAttrs (RFC 7030 4.5.2)."""

from collections.abc import Collection
from typing import Final

from pki.x509 import der

# Best first: the key as an attribute, its parameter, and a signature algorithm.
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


def csr_attributes(keys: Collection[str]) -> bytes:
    """CsrAttrs in DER: a key of the best kind that is taken. keys: kinds of `keys_policy.KINDS`, at least one."""
    kind = next((kind for kind in _WANTED if kind in keys), None)
    if kind is None:
        return der.sequence([der.encode(der.OID, der.encode_oid(_ED25519))])
    algorithm, parameter, signature = _WANTED[kind]
    attribute = der.sequence([der.encode(der.OID, der.encode_oid(algorithm)), der.encode(der.SET, parameter)])
    return der.sequence([attribute, der.encode(der.OID, der.encode_oid(signature))])
