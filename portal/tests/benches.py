"""Run a benchmark as anybody would: those that make a database of their own cannot run inside a test's."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def printed(folder: Path, *words: str) -> list[str]:
    """The lines that `manage.py bench WORDS` prints, on SQLite; `folder` is its PORTAL_VAR."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", *words],
        cwd=ROOT,
        env={**own, "PORTAL_VAR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return done.stdout.splitlines()
