"""The key stores of this process by name, so that a CA's row needs to say no more than store and key.

Who starts the process registers them, from its settings; nothing is opened before a key is asked for.
"""

from collections.abc import Callable
from typing import Protocol

from pki.keystore.errors import KeyMissing
from pki.x509.signing import Signer


class KeyStore(Protocol):
    """Makes keys and opens them by name. Both raise KeyUnavailable's subclasses, and nothing else."""

    def make_key(self, name: str, kind: str) -> Signer: ...

    def signer(self, name: str) -> Signer: ...


_stores: dict[str, Callable[[], KeyStore]] = {}


def register_store(name: str, opened: Callable[[], KeyStore]) -> None:
    """Let CAs name a store. A second registration takes the first one's place."""
    _stores[name] = opened


def forget_store(name: str) -> None:
    """Take a store's name away; one that nobody registered is no error."""
    _stores.pop(name, None)


def store_names() -> list[str]:
    """The stores that are set up here."""
    return sorted(_stores)


def open_signer(store: str, name: str) -> Signer:
    """The signer of a key. Raises KeyUnavailable."""
    return _store(store).signer(name)


def make_signer(store: str, name: str, kind: str) -> Signer:
    """Make a key of a kind of `keys_policy.KINDS`, under a name that is new. Raises KeyUnavailable."""
    return _store(store).make_key(name, kind)


def _store(name: str) -> KeyStore:
    if name not in _stores:
        raise KeyMissing("there is no key store by this name")
    return _stores[name]()
