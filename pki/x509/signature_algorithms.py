"""The signature algorithm that goes with each kind of issuing key, as bytes of its AlgorithmIdentifier."""

from typing import Final

_RSA_SHA256: Final = bytes.fromhex("300d06092a864886f70d01010b0500")  # RFC 4055 5: parameters NULL
_IDENTIFIERS: Final = {
    "p256": bytes.fromhex("300a06082a8648ce3d040302"),  # ecdsa-with-SHA256, RFC 5758 3.2: parameters absent
    "p384": bytes.fromhex("300a06082a8648ce3d040303"),  # ecdsa-with-SHA384
    "ed25519": bytes.fromhex("300506032b6570"),  # RFC 8410 3
}


def identifier_for(kind: str) -> bytes:
    """The AlgorithmIdentifier that a CA with a key of this kind signs with."""
    return _IDENTIFIERS.get(kind, _RSA_SHA256)
