"""Private keys that are elsewhere: of the library's own types, so that its builders take them, able to sign only.

The bytes to sign go to a function: one that asks a token, or one that signs nothing at all. Everything else that
a private key can do is refused with TypeError: such a key is not exported, copied or agreed with.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import HashAlgorithm

type SignWithHash = Callable[[bytes, HashAlgorithm], bytes]
"""Signs a message by the given hash; ECDSA signatures come back in DER."""


def _refuse(*args: object, **kwargs: object) -> NoReturn:
    raise TypeError("this key signs and does nothing else")


class ExternalECKey(ec.EllipticCurvePrivateKey):
    """An EC key whose private half is behind a function."""

    def __init__(self, public: ec.EllipticCurvePublicKey, sign: SignWithHash) -> None:
        self._public = public
        self._sign = sign

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        algorithm = signature_algorithm.algorithm
        if not isinstance(signature_algorithm, ec.ECDSA) or not isinstance(algorithm, HashAlgorithm):
            _refuse()
        return self._sign(bytes(data), algorithm)

    exchange = private_numbers = private_bytes = __copy__ = __deepcopy__ = __reduce__ = _refuse


class ExternalRSAKey(rsa.RSAPrivateKey):
    """An RSA key whose private half is behind a function; it signs by PKCS #1 v1.5 only."""

    def __init__(self, public: rsa.RSAPublicKey, sign: SignWithHash) -> None:
        self._public = public
        self._sign = sign

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def sign(self, data: Any, padding: padding.AsymmetricPadding, algorithm: Any) -> bytes:
        if padding.name != "EMSA-PKCS1-v1_5" or not isinstance(algorithm, HashAlgorithm):
            _refuse()
        return self._sign(bytes(data), algorithm)

    decrypt = private_numbers = private_bytes = __copy__ = __deepcopy__ = __reduce__ = _refuse


class ExternalEd25519Key(ed25519.Ed25519PrivateKey):
    """An Ed25519 key whose private half is behind a function."""

    def __init__(self, public: ed25519.Ed25519PublicKey, sign: Callable[[bytes], bytes]) -> None:
        self._public = public
        self._sign = sign

    def public_key(self) -> ed25519.Ed25519PublicKey:
        return self._public

    def sign(self, data: Any) -> bytes:
        return self._sign(bytes(data))

    private_bytes = private_bytes_raw = __copy__ = __deepcopy__ = __reduce__ = _refuse
