"""Where the keys of CAs and responders live: behind `Signer`, in encrypted files or in a token (PKCS #11)."""

from pki.keystore.errors import KeyExists, KeyMissing, KeyRefused, KeyUnavailable, StoreUnavailable, WrongSecret
from pki.keystore.stores import KeyStore, make_signer, open_signer, register_store
from pki.x509.signing import Signer

__all__ = [
    "KeyExists",
    "KeyMissing",
    "KeyRefused",
    "KeyStore",
    "KeyUnavailable",
    "Signer",
    "StoreUnavailable",
    "WrongSecret",
    "make_signer",
    "open_signer",
    "register_store",
]
