"""What a CA's key looks like from here: something that signs. Where the key lives is the key store's matter."""

from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from pki.x509.external_keys import ExternalECKey, ExternalEd25519Key, ExternalRSAKey
from pki.x509.keys_policy import PublicKey

_NO_SIGNATURE = b"\0" * 64


class Signer(Protocol):
    """A key that signs certificates, revocation lists and answers.

    ``key`` is of one of the library's private key types, so that its builders take it; it may be able to sign
    only. Nobody outside of the key store exports it.
    """

    @property
    def key(self) -> CertificateIssuerPrivateKeyTypes: ...


def public_key_of(signer: Signer) -> PublicKey:
    """The public half of a signer's key. Raises TypeError for a key of a type we never make."""
    public = signer.key.public_key()
    if isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        return public
    raise TypeError("signers have RSA, EC or Ed25519 keys")


def hash_for(key: PublicKey) -> SHA256 | SHA384 | None:
    """The hash to sign with: as strong as the key (NIST SP 800-57 part 1, 5.6.1); None for Ed25519."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return None
    return SHA384() if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size > 256 else SHA256()


def nobody(public: PublicKey) -> CertificateIssuerPrivateKeyTypes:
    """A key that names the given one's algorithm and signs nothing: for drafts that are only looked at.

    What carries its signature, all zeros, holds under no key, so a draft that got out would be worth nothing.
    """
    if isinstance(public, rsa.RSAPublicKey):
        return ExternalRSAKey(public, lambda data, algorithm: _NO_SIGNATURE)
    if isinstance(public, ed25519.Ed25519PublicKey):
        return ExternalEd25519Key(public, lambda data: _NO_SIGNATURE)
    return ExternalECKey(public, lambda data, algorithm: _NO_SIGNATURE)


def sign_bytes(signer: Signer, data: bytes) -> bytes:
    """Sign with the algorithm that goes with the key, as `identifier_for` names it."""
    key = signer.key
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(SHA384() if key.key_size > 256 else SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    raise TypeError("signers have RSA, EC or Ed25519 keys")


def holds(public: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the signature was made over the data by the key, with the hash that goes with it."""
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, data, padding.PKCS1v15(), SHA256())
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, data)
        else:
            public.verify(signature, data, ec.ECDSA(hash_for(public) or SHA256()))
    except InvalidSignature:
        return False
    return True
