"""Keys in files: PKCS #8, encrypted with a passphrase, readable by their owner only, never overwritten.

Whoever holds the file and the passphrase has the key. Use a token where that is not good enough.
"""

import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from pki.keystore.errors import KeyExists, KeyMissing, KeyRefused, StoreUnavailable, WrongSecret
from pki.x509.external_keys import ExternalECKey, ExternalEd25519Key, ExternalRSAKey
from pki.x509.key_making import make_private_key
from pki.x509.keys_policy import KINDS, describe_key

MIN_PASSPHRASE: Final = 16  # characters; it guards a key for years, and whoever has the file can guess at leisure
_LARGEST_FILE: Final = 16 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class FileSigner:
    """A key that was read from its file. It signs; it is not exported, copied or pickled."""

    __slots__ = ("_key", "path")

    def __init__(self, path: Path, key: CertificateIssuerPrivateKeyTypes) -> None:
        self.path = path
        self._key = key

    @property
    def key(self) -> CertificateIssuerPrivateKeyTypes:
        return self._key

    def __repr__(self) -> str:
        return f"FileSigner({self.path.name!r})"


class FileStore:
    """A folder of key files that one passphrase opens."""

    def __init__(self, folder: Path, passphrase: str) -> None:
        self._folder = folder
        self._passphrase = passphrase

    def make_key(self, name: str, kind: str) -> FileSigner:
        """Make a key; the folder comes with the first one, for its owner only."""
        path = self._path(name)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            raise StoreUnavailable("the folder for keys cannot be made") from None
        return make_file_key(path, kind, self._passphrase)

    def signer(self, name: str) -> FileSigner:
        return open_file_key(self._path(name), self._passphrase)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise KeyRefused("a key's name has letters, digits, dots, hyphens and underscores")
        return self._folder / f"{name}.pem"


def make_file_key(path: Path, kind: str, passphrase: str) -> FileSigner:
    """Make a key of a kind of `keys_policy.KINDS` and write it. Raises KeyExists, WrongSecret, StoreUnavailable.

    The file is there whole or not at all, whatever happens meanwhile.
    """
    if kind not in KINDS:
        raise KeyRefused("keys of this kind are not made")
    encryption = BestAvailableEncryption(_checked(passphrase).encode())
    if path.exists():
        raise KeyExists("there is a key file by this name")
    key = make_private_key(kind)
    try:
        _write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    except FileExistsError:
        raise KeyExists("there is a key file by this name") from None
    except OSError:
        raise StoreUnavailable("the key file cannot be written") from None
    return open_file_key(path, passphrase)


def open_file_key(path: Path, passphrase: str) -> FileSigner:
    """Read a key. Raises KeyMissing, WrongSecret, KeyRefused (not encrypted, others can read it, unknown kind)."""
    try:
        key = load_pem_private_key(_read(path), _checked(passphrase).encode())
    except TypeError:  # the library's word for a file that needs no passphrase
        raise KeyRefused("the key file is not encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise WrongSecret("the key file cannot be read with this passphrase") from None
    if describe_key(key.public_key()) is None:
        raise KeyRefused("the key is of a kind that is not used")
    return FileSigner(path, _sign_only(key))


def _checked(passphrase: str) -> str:
    if len(passphrase) < MIN_PASSPHRASE:
        raise WrongSecret(f"a passphrase has at least {MIN_PASSPHRASE} characters")
    return passphrase


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyRefused("others than the owner may read or write the key file")
            return file.read(_LARGEST_FILE)
    except FileNotFoundError:
        raise KeyMissing("there is no key file by this name") from None
    except OSError:
        raise StoreUnavailable("the key file cannot be read") from None


def _write_new(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-key-")  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # fails when there is one, where a rename would replace it
    finally:
        Path(temporary).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _sign_only(key: object) -> CertificateIssuerPrivateKeyTypes:
    if isinstance(key, rsa.RSAPrivateKey):
        return ExternalRSAKey(key.public_key(), lambda data, algorithm: key.sign(data, padding.PKCS1v15(), algorithm))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ExternalECKey(key.public_key(), lambda data, algorithm: key.sign(data, ec.ECDSA(algorithm)))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return ExternalEd25519Key(key.public_key(), key.sign)
    raise KeyRefused("the key is of a kind that is not used")
