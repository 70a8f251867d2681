"""Key stores by name."""

from pathlib import Path

import pytest

from pki.keystore import KeyMissing, make_signer, open_signer, register_store, stores
from pki.keystore.file import FileStore
from pki.x509.signing import public_key_of


def test_a_registered_store_makes_and_opens_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_stores", {})
    opened = []

    def store() -> FileStore:
        opened.append(1)
        return FileStore(tmp_path, "correct horse battery")

    register_store("file", store)
    assert opened == []
    made = make_signer("file", "root", "p256")
    assert public_key_of(open_signer("file", "root")) == public_key_of(made)


def test_an_unknown_store_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_stores", {})
    with pytest.raises(KeyMissing):
        open_signer("file", "root")
