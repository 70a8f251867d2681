"""The core and the primitives import in a bare interpreter: no Django, no settings; the core only Python."""

import os
import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules

import pytest

ROOT = Path(__file__).resolve().parents[3]
BARE = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PORTAL_", "PYTHON"))}


def modules(package: str) -> list[str]:
    folder = ROOT / package.replace(".", "/")
    return [f"{package}.{found.name}" for found in iter_modules([str(folder)]) if found.name != "tests"]


def run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code], cwd=ROOT, env=BARE, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("module", modules("portal.core"))
def test_the_core_imports_without_any_installed_package(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "ours = {name for name in sys.modules if name.startswith('portal.')}; "
        "assert all(name.startswith('portal.core') for name in ours), ours; "
        "assert 'django' not in sys.modules"
    )
    done = run(code, "-S")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", modules("portal.crypto"))
def test_the_primitives_import_without_django(module: str) -> None:
    code = (
        f"import sys; sys.modules['django'] = None; import {module}; "
        "ours = {name for name in sys.modules if name.startswith('portal.')}; "
        "assert all(name.startswith(('portal.core', 'portal.crypto')) for name in ours), ours; "
        "assert not [name for name in sys.modules if name.startswith('django.')]"
    )
    done = run(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_both_packages_were_looked_at() -> None:
    assert {"portal.core.json", "portal.core.pages", "portal.core.base64url"} <= set(modules("portal.core"))
    assert set(modules("portal.crypto")) == {
        f"portal.crypto.{name}"
        for name in (
            *("codes", "digests", "dpop", "edwards", "id_tokens", "jwts", "keys", "passkeys", "pins", "sealing"),
            *("signatures", "webhooks"),
        )
    }
