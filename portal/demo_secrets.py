"""The demo's own secrets: made once, kept in a file that only its owner can read."""

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from portal.core import base64url

RINGS = {"PORTAL_SEALING_KEYS", "PORTAL_INDEX_KEYS", "PORTAL_PIN_PEPPERS"}


def new_secret(name: str) -> str:
    """A fresh value for one secret setting."""
    if name == "PORTAL_SECRET_KEY":
        return secrets.token_urlsafe(48)  # no key but a text; Django asks for 50 characters
    key = base64url.encode(secrets.token_bytes(32))
    return f"k1:{key}" if name in RINGS else key


def demo_secrets(var: Path, names: Sequence[str]) -> dict[str, str]:
    """The demo's secrets, from VAR/demo-secrets.json; those that are missing are made and kept.

    Two processes that start together end with the same secrets: the file is put in place by a link that fails
    when it exists. Where VAR cannot be written, the values last as long as the process (the start-up check names
    that).
    """
    path = var / "demo-secrets.json"
    found = _renamed(_read(path))
    if all(name in found for name in names):
        return {name: found[name] for name in names}
    made = {name: found.get(name) or new_secret(name) for name in names}
    try:
        var.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = var / f"demo-secrets.{os.getpid()}.{secrets.token_hex(4)}"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(made, file, indent=1)
        if found:
            draft.replace(path)
        else:
            try:
                os.link(draft, path)
            except FileExistsError:
                made = {**made, **_renamed(_read(path))}
            finally:
                draft.unlink()
    except OSError:
        return made
    return {name: made[name] for name in names}


def _renamed(found: dict[str, str]) -> dict[str, str]:
    """What was one key is a ring and a key: both go on with the old one, so that all is still found."""
    old = found.get("PORTAL_INDEX_KEY")
    return {"PORTAL_INDEX_KEYS": f"k1:{old}", "PORTAL_DIGEST_KEY": old, **found} if old else found


def _read(path: Path) -> dict[str, str]:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}
