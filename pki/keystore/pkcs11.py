"""Keys in a token (PKCS #11): made there, used there, never outside of it.

A process has one session per token, and one call at a time on it: signing takes two calls, and another thread's
between them would spoil both. A forked process opens its own; sessions do not survive a fork.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from pki.keystore.errors import KeyExists, KeyMissing, KeyRefused, StoreUnavailable, WrongSecret
from pki.x509.external_keys import ExternalECKey, ExternalRSAKey
from pki.x509.keys_policy import describe_key

_CURVES: Final = {"p256": "secp256r1", "p384": "secp384r1"}
_RSA_BITS: Final = {"rsa-2048": 2048, "rsa-3072": 3072, "rsa-4096": 4096}
_DIGEST_INFO_SHA256: Final = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017 9.2, note 1

# What a private key of ours is for the token: its own, secret, for good, and for signing only.
_PRIVATE: Final = {
    Attribute.TOKEN: True, Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True, Attribute.DECRYPT: False, Attribute.UNWRAP: False, Attribute.MODIFIABLE: False,
}  # fmt: skip
_PUBLIC: Final = {Attribute.TOKEN: True, Attribute.VERIFY: True, Attribute.ENCRYPT: False, Attribute.WRAP: False}
# Seen on a key: what shows that it was made inside and cannot leave. LOCAL: made in the token, not put there.
_SHOWN: Final = {
    Attribute.SENSITIVE: True, Attribute.ALWAYS_SENSITIVE: True, Attribute.EXTRACTABLE: False,
    Attribute.NEVER_EXTRACTABLE: True, Attribute.LOCAL: True,
}  # fmt: skip

_WRONG_PIN: Final = (pkcs11.PinIncorrect, pkcs11.PinLenRange, pkcs11.PinInvalid, pkcs11.PinLocked, pkcs11.PinExpired)
_LOST: Final = (
    pkcs11.SessionHandleInvalid, pkcs11.SessionClosed, pkcs11.DeviceRemoved, pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn, pkcs11.KeyHandleInvalid, pkcs11.ObjectHandleInvalid, pkcs11.DeviceError,
)  # fmt: skip

_guard = threading.RLock()  # over the libraries of this process, each of which is one state for all threads
_library_of: dict[str, int] = {}  # module path → process that initialized it
_tokens: "weakref.WeakSet[Token]" = weakref.WeakSet()


class TokenSigner:
    """A key in a token. ``name`` is its label there."""

    __slots__ = ("_key", "name")

    def __init__(self, name: str, key: CertificateIssuerPrivateKeyTypes) -> None:
        self.name = name
        self._key = key

    @property
    def key(self) -> CertificateIssuerPrivateKeyTypes:
        return self._key

    def __repr__(self) -> str:
        return f"TokenSigner({self.name!r})"


@cache
def token(module: str, label: str, pin: str) -> "Token":
    """The one Token of this process for a token; it logs in when it is first used."""
    return Token(module, label, pin)


class Token:
    """One token behind one PKCS #11 module. Threads share it; get it from `token`, as a process logs in once."""

    def __init__(self, module: str, label: str, pin: str) -> None:
        self._module = module
        self._label = label
        self._pin = pin
        self._lock = threading.RLock()
        self._process = 0
        self._session: Any = None
        self._handles: dict[str, Any] = {}
        _tokens.add(self)

    def make_key(self, name: str, kind: str) -> TokenSigner:
        """Make a key of a kind in the token: P-256, P-384 or RSA. Raises KeyExists, KeyRefused, StoreUnavailable."""
        if kind not in _CURVES and kind not in _RSA_BITS:
            raise KeyRefused("keys of this kind are not made in a token")
        with self._open(rw=True) as session:
            if list(session.get_objects({Attribute.LABEL: name, Attribute.CLASS: ObjectClass.PRIVATE_KEY})):
                raise KeyExists("there is a key by this name in the token")
            options = {
                "id": os.urandom(16), "label": name, "store": True,
                "public_template": _PUBLIC, "private_template": _PRIVATE,
            }  # fmt: skip
            if kind in _RSA_BITS:
                session.generate_keypair(KeyType.RSA, _RSA_BITS[kind], **options)
            else:
                curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(_CURVES[kind])}
                session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(**options)
        return self.signer(name)

    def signer(self, name: str) -> TokenSigner:
        """The key by this name. Raises KeyMissing, KeyRefused (it could leave the token), StoreUnavailable."""
        with self._open() as session:
            private = self._private(session, name)
            public = _public_key(session, private)
        if describe_key(public) is None:
            raise KeyRefused("the key is of a kind that is not used")
        return TokenSigner(name, self._key(name, public))

    def _key(self, name: str, public: object) -> CertificateIssuerPrivateKeyTypes:
        if isinstance(public, ec.EllipticCurvePublicKey):
            return ExternalECKey(public, lambda data, algorithm: self._ecdsa(name, _digest(data, algorithm)))
        if isinstance(public, rsa.RSAPublicKey):
            return ExternalRSAKey(public, lambda data, algorithm: self._rsa(name, data, algorithm))
        raise KeyRefused("the key is of a kind that is not used")

    def _ecdsa(self, name: str, digest: bytes) -> bytes:
        pair = self._sign(name, digest, Mechanism.ECDSA)
        half = len(pair) // 2
        return encode_dss_signature(int.from_bytes(pair[:half]), int.from_bytes(pair[half:]))

    def _rsa(self, name: str, data: bytes, algorithm: HashAlgorithm) -> bytes:
        if not isinstance(algorithm, SHA256):
            raise TypeError("RSA keys sign with SHA-256")
        # The hash is made here, so that a long revocation list does not pass through the token.
        return self._sign(name, _DIGEST_INFO_SHA256 + _digest(data, algorithm), Mechanism.RSA_PKCS)

    def _sign(self, name: str, data: bytes, mechanism: Mechanism) -> bytes:
        def once() -> bytes:
            with self._open() as session:
                signature: bytes = self._private(session, name).sign(data, mechanism=mechanism)
                return signature

        try:
            return once()
        except StoreUnavailable:  # a token that was away and is back: the session is gone, the key is not
            return once()

    def _private(self, session: Any, name: str) -> Any:
        if name not in self._handles:
            wanted = {Attribute.LABEL: name, Attribute.CLASS: ObjectClass.PRIVATE_KEY}
            found = list(session.get_objects(wanted))
            if not found:
                raise KeyMissing("there is no key by this name in the token")
            if len(found) > 1:
                raise KeyRefused("there is more than one key by this name in the token")
            if any(found[0][attribute] is not value for attribute, value in _SHOWN.items()):
                raise KeyRefused("the key was not made in the token, or could leave it")
            self._handles[name] = found[0]
        return self._handles[name]

    @contextmanager
    def _open(self, *, rw: bool = False) -> Iterator[Any]:
        """The session, for one caller at a time. Errors of the token become ours; a lost session is forgotten."""
        with self._lock:
            try:
                yield self._writable() if rw else self._readable()
            except _LOST:
                self._forget()
                raise StoreUnavailable("the token is not there") from None
            except _WRONG_PIN:
                self._forget()
                raise WrongSecret("the token does not open with this PIN") from None
            except pkcs11.PKCS11Error as error:
                self._forget()
                raise StoreUnavailable(f"the token refused: {type(error).__name__}") from None

    def _readable(self) -> Any:
        if self._session is None or self._process != os.getpid():
            self._handles = {}
            self._session = self._login(rw=False)
            self._process = os.getpid()
        return self._session

    def _writable(self) -> Any:
        """A token logs in once per process, so a session that may write takes the other's place."""
        self._forget()
        self._session = self._login(rw=True)
        self._process = os.getpid()
        return self._session

    def _login(self, *, rw: bool) -> Any:
        with _guard:
            library = _library(self._module)
            tokens = list(library.get_tokens(token_label=self._label))
            if len(tokens) != 1:
                raise StoreUnavailable("there is no token by this label, or more than one")
            return tokens[0].open(user_pin=self._pin, rw=rw)

    def _forget(self) -> None:
        session, self._session, self._handles = self._session, None, {}
        if session is not None and self._process == os.getpid():
            try:
                session.close()
            except pkcs11.PKCS11Error:
                return


def _unlock_in_child() -> None:
    """A thread that held a lock while another forked is not in the child: nobody would let go of it there."""
    global _guard
    _guard = threading.RLock()
    for one in _tokens:
        one._lock = threading.RLock()


os.register_at_fork(after_in_child=_unlock_in_child)


def _library(module: str) -> Any:
    try:
        library = pkcs11.lib(module)
        if _library_of.setdefault(module, os.getpid()) != os.getpid():
            library.reinitialize()
            _library_of[module] = os.getpid()
    except (pkcs11.PKCS11Error, RuntimeError, OSError):
        raise StoreUnavailable("the PKCS #11 module cannot be loaded") from None
    return library


def _digest(data: bytes, algorithm: HashAlgorithm) -> bytes:
    digest = Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _public_key(session: Any, private: Any) -> object:
    """The public half, from the object beside the private one with the same identifier."""
    wanted = {Attribute.ID: private[Attribute.ID], Attribute.CLASS: ObjectClass.PUBLIC_KEY}
    found = list(session.get_objects(wanted))
    if len(found) != 1:
        raise KeyRefused("the key has not exactly one public half in the token")
    readers: dict[KeyType, Callable[[Any], object]] = {KeyType.EC: _ec_public, KeyType.RSA: _rsa_public}
    reader = readers.get(private.key_type)
    if reader is None:
        raise KeyRefused("the key is of a kind that is not used")
    return reader(found[0])


def _ec_public(found: Any) -> object:
    return load_der_public_key(encode_ec_public_key(found))


def _rsa_public(found: Any) -> object:
    e, n = (int.from_bytes(found[name]) for name in (Attribute.PUBLIC_EXPONENT, Attribute.MODULUS))
    return rsa.RSAPublicNumbers(e, n).public_key()
