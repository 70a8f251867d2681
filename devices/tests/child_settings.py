"""The test settings for a process that a test starts: on the database of that test."""

import os

from portal.test_settings import *  # noqa: F403
from portal.test_settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["PORTAL_CHILD_DATABASE"]
