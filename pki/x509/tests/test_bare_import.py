"""The primitives of the certificate authority import in a bare interpreter: no Django, no settings."""

import os
import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules

import pytest

ROOT = Path(__file__).resolve().parents[3]
BARE = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PORTAL_", "PYTHON"))}
ALLOWED = ("pki.x509", "pki.keystore", "portal.crypto")


def modules(package: str) -> list[str]:
    folder = ROOT / package.replace(".", "/")
    return [f"{package}.{found.name}" for found in iter_modules([str(folder)]) if found.name != "tests"]


@pytest.mark.parametrize("package", ["pki.x509", "pki.keystore"])
def test_they_import_without_django(package: str) -> None:
    names = modules(package)
    assert len(names) >= 4
    code = (
        f"import sys; sys.modules['django'] = None; import {', '.join(names)}; "
        f"ours = {{n for n in sys.modules if n.startswith(('pki.', 'portal.'))}}; "
        f"assert all(n.startswith({ALLOWED!r}) for n in ours), ours; "
        "assert not [n for n in sys.modules if n.startswith('django.')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=BARE, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
