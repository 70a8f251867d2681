"""Reads settings from the environment. A value that cannot be read is noted as a problem, never raised:
the start-up checks then name every problem at once."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict
from urllib.parse import parse_qsl, unquote, urlsplit

from portal.core import base64url

KEY_BYTES = 32
_KEY_ID = re.compile("[a-z0-9-]{1,16}")  # as `portal.crypto.sealing.KeyRing` takes them


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one setting. `id` is stable, e.g. `portal.E003`."""

    id: str
    message: str
    hint: str


@dataclass
class Environment:
    """The environment, with typed readers that collect problems instead of raising."""

    values: Mapping[str, str] = field(default_factory=lambda: os.environ)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, id: str, message: str, hint: str) -> None:
        self.problems.append(Problem(id, message, hint))

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name, "").strip() or default

    def secret(self, name: str) -> str:
        """The value of NAME, or the content of the file that NAME_FILE names."""
        path = self.text(f"{name}_FILE")
        if not path:
            return self.text(name)
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            self.problem("portal.E001", f"{name}_FILE cannot be read.", f"Let {name}_FILE name a readable text file.")
            return ""

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if text.isascii() and text.isdigit() and low <= int(text) <= high:
            return int(text)
        self.problem("portal.E002", f"{name} is not a number from {low} to {high}.", f"Example: {name}={default}")
        return default

    def words(self, name: str, default: str = "") -> list[str]:
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of `choices`; the first is the default."""
        value = self.text(name, choices[0])
        if value in choices:
            return value
        self.problem("portal.E003", f"{name} is not one of: {', '.join(choices)}.", f"Example: {name}={choices[0]}")
        return choices[0]

    def networks(self, name: str, default: str = "") -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        found = []
        for word in self.words(name, default):
            try:
                found.append(ipaddress.ip_network(word))
            except ValueError:
                self.problem(
                    "portal.E004",
                    f"{name} holds something that is no network.",
                    f"Example: {name}=10.0.0.0/8",
                )
        return found

    def header(self, name: str) -> str:
        """A header's name as WSGI spells it, `HTTP_CLIENT_CERT`; "" where none is set."""
        text = self.text(name)
        if text and not all(part.isascii() and part.isalnum() for part in text.split("-")):
            self.problem("portal.E041", f"{name} is no name of a header.", f"Example: {name}=Client-Cert")
            return ""
        return f"HTTP_{text.upper().replace('-', '_')}" if text else ""

    def key(self, name: str, text: str) -> bytes:
        """32 bytes in base64url. An empty text gives empty bytes (whether that is allowed is asked elsewhere)."""
        if not text:
            return b""
        try:
            key = base64url.decode(text.rstrip("="))
        except ValueError:
            key = b""
        if len(key) == KEY_BYTES:
            return key
        self.problem("portal.E005", f"{name} is not 32 bytes in base64url.", "Make one with: manage.py new_secrets")
        return b""

    def keys(self, name: str, text: str) -> dict[str, bytes]:
        """`k2:<base64url>,k1:<base64url>`: a key ring, the first key is the current one."""
        ring: dict[str, bytes] = {}
        for part in text.split(",") if text else []:
            key_id, _, encoded = part.strip().partition(":")
            if not _KEY_ID.fullmatch(key_id) or not encoded or key_id in ring:
                self.problem(
                    "portal.E006",
                    f"{name} is not a list of id:key.",
                    f"Example: {name}=k1:<32 bytes base64url>",
                )
                return {}
            ring[key_id] = self.key(name, encoded)
        return ring


class DatabaseSettings(TypedDict):
    ENGINE: str
    NAME: str
    USER: str
    PASSWORD: str
    HOST: str
    PORT: str
    OPTIONS: dict[str, object]


def read_database_url(url: str) -> DatabaseSettings:
    """Django's settings for `postgresql://user:password@host:port/name?sslmode=require`. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or len(parts.path) < 2:
        raise ValueError("a database URL looks like postgresql://user:password@host:5432/name")
    options: dict[str, object] = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": str(options.pop("host", "")) or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }
