"""What is wrong with the settings about certificates. Reads `settings` and the file system, and no database."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from pki.keystore.file import MIN_PASSPHRASE
from pki.x509.linting import url_problem

type Found = tuple[str, str, str]


def problems() -> Iterator[Found]:
    """(what it is about, a sentence, what to do) of each: `passphrase`, `address` or `keys`."""
    yield from _passphrase()
    if settings.PKI_URL and url_problem(f"{settings.PKI_URL}/"):
        yield (
            "address",
            "PORTAL_PKI_URL is not a plain http address: what stands in certificates is fetched without one.",
            "Example: PORTAL_PKI_URL=http://pki.bank.example",
        )
    yield from _folder(settings.CA_DIR)
    yield from _token()


def _passphrase() -> Iterator[Found]:
    """Keys in files need one; who keeps all keys in a token needs none."""
    given = settings.CA_PASSPHRASE
    if not given and not settings.PKCS11_MODULE:
        yield "passphrase", "PORTAL_CA_PASSPHRASE is not set.", "Make all secrets with: manage.py new_secrets"
    if given and len(given) < MIN_PASSPHRASE:
        yield (
            "passphrase",
            "PORTAL_CA_PASSPHRASE is short.",
            f"Use at least {MIN_PASSPHRASE} characters; see manage.py new_secrets",
        )


def _folder(folder: Path) -> Iterator[Found]:
    try:
        mode = folder.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return  # it is made with the first key; whether it can be, the check of the portal's own folder says
    except OSError:
        yield "keys", "PORTAL_CA_DIR cannot be reached.", "Let the portal's user own it: chown and chmod 700"
        return
    if not stat.S_ISDIR(mode) or mode & 0o077 or not os.access(folder, os.R_OK | os.X_OK):
        yield "keys", "Others than the portal's user may enter PORTAL_CA_DIR.", "Let only that user in: chmod 700"


def _token() -> Iterator[Found]:
    parts = settings.PKCS11_MODULE, settings.PKCS11_TOKEN, settings.PKCS11_PIN
    if not any(parts):
        return
    if not all(parts):
        yield (
            "keys",
            "A PKCS #11 token needs a module, a token and a PIN.",
            "Set PORTAL_PKCS11_MODULE, PORTAL_PKCS11_TOKEN and PORTAL_PKCS11_PIN, or none of them",
        )
    elif not Path(settings.PKCS11_MODULE).is_file():
        yield "keys", "PORTAL_PKCS11_MODULE is no file.", "Example: /usr/lib/softhsm/libsofthsm2.so"
