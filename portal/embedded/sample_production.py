"""Runs a command with the settings of a made-up production: `python -m portal.embedded.sample_production COMMAND…`

For checks only: its secrets are made on the spot and forgotten.
"""

import os
import sys
from collections.abc import Mapping

from portal.demo_secrets import new_secret

SECRETS = (
    "PORTAL_SECRET_KEY",
    "PORTAL_SEALING_KEYS",
    "PORTAL_INDEX_KEYS",
    "PORTAL_DIGEST_KEY",
    "PORTAL_PAIRWISE_KEY",
    "PORTAL_FINGERPRINT_KEY",
    "PORTAL_PIN_PEPPERS",
    "PORTAL_CA_PASSPHRASE",
    "PORTAL_AUDIT_KEY",
    "PORTAL_AUDIT_SIGNING_KEY",
)


def environment(values: Mapping[str, str]) -> dict[str, str]:
    """`values` without the portal's own settings, and with those of a production that is set up as it should be."""
    return {
        **{name: value for name, value in values.items() if not name.startswith("PORTAL_") or name == "PORTAL_VAR"},
        **{name: new_secret(name) for name in SECRETS},
        "PORTAL_MODE": "production",
        "PORTAL_BASE_URL": "https://portal.bank.example",
        "PORTAL_ALLOWED_HOSTS": "portal.bank.example",
        "PORTAL_DATABASE_URL": "postgresql://portal:portal@127.0.0.1:5432/portal",
    }


if __name__ == "__main__":
    os.execvpe(sys.argv[1], sys.argv[1:], environment(os.environ))  # noqa: S606  there is no shell to be fooled
