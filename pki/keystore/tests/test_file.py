"""Keys in files: encrypted, theirs only who own them, whole or not there, and able to sign only."""

import copy
import pickle
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pki.keystore import KeyExists, KeyMissing, KeyRefused, KeyUnavailable, StoreUnavailable, WrongSecret
from pki.keystore.file import FileStore, make_file_key, open_file_key
from pki.x509.building import issue, prepare
from pki.x509.keys_policy import KINDS, describe_key
from pki.x509.orders import Order, Subject, validity
from pki.x509.profiles import ROOT
from pki.x509.serials import new_serial
from pki.x509.signing import holds, public_key_of, sign_bytes
from pki.x509.tests import makers

SECRET = "correct horse battery"


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_every_kind_is_made_read_again_and_signs(tmp_path: Path, kind: str) -> None:
    made = make_file_key(tmp_path / "ca.pem", kind, SECRET)
    read = open_file_key(tmp_path / "ca.pem", SECRET)
    assert public_key_of(made) == public_key_of(read)
    assert holds(public_key_of(made), sign_bytes(read, b"x"), b"x")
    key = describe_key(public_key_of(read))
    assert key is not None
    assert key.kind == kind
    order = Order(ROOT, key, Subject("NG", "Bank", "Root"), new_serial(), *validity(makers.NOW, 3650))
    issued = issue(prepare(order, None), read)
    issued.certificate.verify_directly_issued_by(issued.certificate)


def test_the_file_is_encrypted_and_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    make_file_key(path, "p256", SECRET)
    assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["ca.pem"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    make_file_key(path, "p256", SECRET)
    before = path.read_bytes()
    with pytest.raises(KeyExists):
        make_file_key(path, "p256", SECRET)
    assert path.read_bytes() == before


def test_two_that_make_one_key_at_once_leave_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ca.pem"
    monkeypatch.setattr(Path, "exists", lambda self: False)  # both looked before either wrote
    first = make_file_key(path, "p256", SECRET)
    with pytest.raises(KeyExists):
        make_file_key(path, "p256", SECRET)
    assert public_key_of(open_file_key(path, SECRET)) == public_key_of(first)
    assert len(list(tmp_path.iterdir())) == 1


def test_nothing_but_signatures_comes_out(tmp_path: Path) -> None:
    signer = make_file_key(tmp_path / "ca.pem", "p256", SECRET)
    key = signer.key
    with pytest.raises(TypeError):
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TypeError):
        key.private_numbers()  # type: ignore[union-attr]
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises((TypeError, AttributeError)):
            copied(key)
        if copied is not copy.copy:
            with pytest.raises((TypeError, AttributeError)):
                copied(signer)
    assert SECRET not in repr(signer)


@pytest.mark.parametrize("passphrase", ["", "short", "x" * 15])
def test_a_short_passphrase_is_none(tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(WrongSecret):
        make_file_key(tmp_path / "ca.pem", "p256", passphrase)
    assert list(tmp_path.iterdir()) == []


def test_another_passphrase_does_not_open_it(tmp_path: Path) -> None:
    make_file_key(tmp_path / "ca.pem", "p256", SECRET)
    with pytest.raises(WrongSecret) as error:
        open_file_key(tmp_path / "ca.pem", SECRET + "!")
    assert SECRET not in str(error.value)


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_files_that_are_not_as_they_must_be_are_refused(tmp_path: Path) -> None:
    key = makers.private("p256")
    clear = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyRefused, match="encrypted"):
        open_file_key(write(tmp_path / "clear.pem", clear), SECRET)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET.encode()))
    for mode in (0o640, 0o604, 0o620):
        with pytest.raises(KeyRefused, match="others"):
            open_file_key(write(tmp_path / "open.pem", sealed, mode), SECRET)
    with pytest.raises(WrongSecret):
        open_file_key(write(tmp_path / "text.pem", b"no key"), SECRET)
    short = makers.private("rsa-1024")
    data = short.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET.encode()))
    with pytest.raises(KeyRefused, match="kind"):
        open_file_key(write(tmp_path / "short.pem", data), SECRET)
    with pytest.raises(KeyMissing):
        open_file_key(tmp_path / "none.pem", SECRET)
    with pytest.raises(StoreUnavailable):
        open_file_key(tmp_path, SECRET)
    with pytest.raises(KeyRefused):
        make_file_key(tmp_path / "x.pem", "p521", SECRET)
    with pytest.raises(StoreUnavailable):
        make_file_key(tmp_path / "no" / "x.pem", "p256", SECRET)


def test_a_store_names_its_keys(tmp_path: Path) -> None:
    store = FileStore(tmp_path, SECRET)
    made = store.make_key("bank-1.issuing", "ed25519")
    assert public_key_of(store.signer("bank-1.issuing")) == public_key_of(made)
    for name in ("", "../x", "/etc/passwd", "a/b", ".hidden", "a\0b", "x" * 101):
        with pytest.raises(KeyUnavailable):
            store.make_key(name, "p256")
