"""The portal's settings, with one address more that only the benchmark has."""

from portal.settings import *  # noqa: F403

ROOT_URLCONF = "portal.bench._floor"
