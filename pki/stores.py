"""The key stores that the settings name: encrypted files, and a PKCS#11 token where one is set up."""

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed

from pki.keystore.file import FileStore
from pki.keystore.stores import KeyStore, register_store


@cache
def _files() -> KeyStore:
    return FileStore(settings.CA_DIR, settings.CA_PASSPHRASE)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting.startswith("CA_"):
        _files.cache_clear()


register_store("file", _files)
setting_changed.connect(_forget)
