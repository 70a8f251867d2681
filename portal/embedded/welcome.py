"""What a newcomer reads when the demo is ready."""

import json
import time
from pathlib import Path

from portal.embedded import onetime

SHOWN_ROLE = "operator"  # may do the portal's main job


def sign_in(demo_file: Path, *, at: float) -> list[str]:
    """Lines with one staff sign-in out of the demo's file. None when the file does not say."""
    try:
        staff = json.loads(demo_file.read_text(encoding="utf-8"))["staff"]
        person = next((one for one in staff if one["role"] == SHOWN_ROLE), staff[0])
        digits = onetime.code(person["totp_secret"], at=at)
        return [
            f"  sign in    {person['username']}",
            f"  password   {person['password']}",
            f"  code       {digits} (a new one every {onetime.STEP} s; secret {person['totp_secret']})",
            f"  the others are in {demo_file}",
        ]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return []


def lines(base_url: str, demo_file: Path | None) -> list[str]:
    """The greeting: the address, and in the demo a way in."""
    if demo_file is None:
        return [f"The portal is ready at {base_url}"]
    return [
        f"The portal is ready at {base_url} (demo: made-up banks and people, this computer only)",
        *sign_in(demo_file, at=time.time()),
        "Ctrl-C stops it.",
    ]
