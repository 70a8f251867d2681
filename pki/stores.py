"""The key stores that the settings name: encrypted files, and a PKCS #11 token where one is set up.

Nothing is opened before a key is asked for. The token's module is loaded then, once in a process.
"""

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed

from pki.keystore.errors import StoreUnavailable
from pki.keystore.file import FileStore
from pki.keystore.stores import KeyStore, forget_store, register_store


@cache
def _files() -> KeyStore:
    return FileStore(settings.CA_DIR, settings.CA_PASSPHRASE)


def _token() -> KeyStore:
    try:
        from pki.keystore.pkcs11 import token  # only who has a token needs the library
    except ImportError:
        raise StoreUnavailable("the library for PKCS #11 is not installed") from None
    return token(settings.PKCS11_MODULE, settings.PKCS11_TOKEN, settings.PKCS11_PIN)


def register() -> None:
    """Let authorities name the stores that are set up."""
    register_store("file", _files)
    if settings.PKCS11_MODULE:
        register_store("pkcs11", _token)
    else:
        forget_store("pkcs11")


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting.startswith(("CA_", "PKCS11_")):
        _files.cache_clear()
        register()


register()
setting_changed.connect(_forget)
