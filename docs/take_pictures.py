"""Takes pictures of the portal's pages from a running demo; without names, the one that the README shows.

    PORT=8001 PORTAL_VAR=/tmp/portal python manage.py up
    python docs/take_pictures.py --demo /tmp/portal/demo.json

Needs the packages for development and a Chromium on PATH (PORTAL_CHROMIUM can name one). Signs in as the operator,
and as the auditor for what an operator does not read: the audit log, approvals with their evidence, merchants, keys.
"""

import argparse
import base64
import json
import os
import shutil
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django_otp.oath import totp
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

SIZE: Final[ViewportSize] = {"width": 1280, "height": 860}
THEMES: Final = ("light", "dark")
READERS: Final = {
    "operator": ("dashboard", "devices", "device", "certificates", "links"),
    "auditor": ("audit", "two-factor", "request", "push", "merchant", "lookups", "keys"),
}
OPENS: Final = {"request", "merchant"}  # of these the list is gone to, and its first row opened
PAGES: Final = tuple(page for pages in READERS.values() for page in pages)
CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
STEP: Final = 30  # seconds for which an authenticator app shows one code
HERE: Final = Path(__file__).resolve().parent


def main() -> None:
    """Write each page in light and dark, as `<page>-<theme>.png`."""
    wanted = _arguments()
    demo = json.loads(wanted.demo.read_text(encoding="utf-8"))
    base = (wanted.base_url or demo["base_url"]).rstrip("/")
    device = wanted.device or demo["customers"][0]["devices"][0]["uuid"]
    paths = {
        "dashboard": "/",
        "devices": "/devices",
        "device": f"/devices/{device}",
        "certificates": "/certificates",
        "audit": "/audit",
        "two-factor": "/two-factor",
        "request": "/two-factor?state=approved&kind=payment",
        "push": "/two-factor/push",
        "links": "/links",
        "merchant": "/merchants",
        "lookups": "/links/lookups",
        "keys": "/keys",
    }
    wanted.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox", "--hide-scrollbars"])
        for role, may_see in READERS.items():
            seen = {name: path for name, path in paths.items() if name in may_see and name in wanted.pages}
            if seen:
                _take(browser, base, _person(demo, role), seen, wanted.output)
        browser.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pages", nargs="*", default=["device"], help=f"of {', '.join(PAGES)} (device)")
    parser.add_argument("--demo", type=Path, default=Path("var/demo.json"), help="the demo's file (%(default)s)")
    parser.add_argument("--base-url", help="where the demo answers (what the file says)")
    parser.add_argument("--device", metavar="UUID", help="whose page to show (the first customer's first device)")
    parser.add_argument("--output", type=Path, default=HERE / "pictures", help="folder for the pictures")
    return parser.parse_args()


def _chromium() -> str:
    named = os.environ.get("PORTAL_CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else CHROMIUM)), None)
    return found or sys.exit("There is no Chromium on PATH; PORTAL_CHROMIUM can name one.")


def _person(demo: dict[str, Any], role: str) -> dict[str, str]:
    person: dict[str, str] = next(row for row in demo["staff"] if row["role"] == role)
    return person


def _take(browser: Browser, base: str, person: dict[str, str], paths: dict[str, str], output: Path) -> None:
    context = browser.new_context(viewport=SIZE, device_scale_factor=1, reduced_motion="reduce")
    page = context.new_page()
    _sign_in(page, base, person)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        for name, path in paths.items():
            page.goto(base + path, wait_until="networkidle")
            if name in OPENS:
                page.locator("main tbody a").first.click()
                page.wait_for_load_state("networkidle")
            picture = page.screenshot()
            (output / f"{name}-{theme}.png").write_bytes(_packed(picture))
    context.close()


def _sign_in(page: Page, base: str, person: dict[str, str]) -> None:
    """Password, then code. A code works once, so that one used a moment ago has to be waited out."""
    page.goto(f"{base}/sign-in")
    page.fill("input[name=username]", person["username"])
    page.fill("input[name=password]", person["password"])
    page.click("main button[type=submit]")
    for _ in range(2):
        page.fill("input[name=code]", _code(person["totp_secret"]))
        page.click("main button[type=submit]")
        page.wait_for_load_state("networkidle")
        if "/sign-in" not in page.url:
            return
        time.sleep(STEP - time.time() % STEP + 1)
    sys.exit(f"{person['username']} could not sign in at {base}.")


def _code(secret: str) -> str:
    return f"{totp(base64.b32decode(secret)):06d}"


def _packed(picture: bytes) -> bytes:
    """The same PNG without row filters: flat surfaces pack a quarter smaller that way (RFC 2083 6)."""
    chunks, at = [], 8
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        chunks.append((kind, picture[at + 8 : at + 8 + length]))
        at += 12 + length
    header = chunks[0][1]
    width, depth = struct.unpack(">I", header[:4])[0], {2: 3, 6: 4}[header[9]]
    rows = _unfiltered(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), width, depth)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return picture[:8] + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"), (header, body, b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _unfiltered(data: bytes, width: int, depth: int) -> Iterator[bytes]:
    """The rows of a picture as they are. depth: bytes of one pixel."""
    length = width * depth
    above = bytearray(length)
    for start in range(0, len(data), length + 1):
        row = bytearray(data[start + 1 : start + 1 + length])
        for i in range(length):
            left, corner = (row[i - depth], above[i - depth]) if i >= depth else (0, 0)
            row[i] = (row[i] + _guess(data[start], left, above[i], corner)) & 255
        yield bytes(row)
        above = row


def _guess(kind: int, left: int, up: int, corner: int) -> int:
    """What a filter took away from a byte (RFC 2083 6.2 to 6.6)."""
    plane = left + up - corner
    nearest = min((left, up, corner), key=lambda value: abs(plane - value))
    return (0, left, up, (left + up) // 2, nearest)[kind]


if __name__ == "__main__":
    main()
