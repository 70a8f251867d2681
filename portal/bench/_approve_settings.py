"""The portal's settings, with the addresses that only the benchmark of approvals has."""

from portal.settings import *  # noqa: F403

ROOT_URLCONF = "portal.bench._approve_floor"
