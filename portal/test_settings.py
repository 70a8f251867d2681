"""Settings for the test suite: fixed secrets, no network, one database file per run."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("PORTAL_VAR", str(Path(tempfile.gettempdir()) / f"portal-tests-{os.getpid()}"))
for name, value in {
    "PORTAL_SECRET_KEY": "tests-only-not-a-secret-tests-only-not-a-secret",
    "PORTAL_SEALING_KEYS": "t1:" + "A" * 42 + "E",
    "PORTAL_INDEX_KEYS": "i1:" + "B" * 42 + "E",
    "PORTAL_DIGEST_KEY": "H" * 42 + "E",
    "PORTAL_PAIRWISE_KEY": "I" * 42 + "E",
    "PORTAL_FINGERPRINT_KEY": "F" * 42 + "E",
    "PORTAL_PIN_PEPPERS": "p1:" + "G" * 42 + "E",
    "PORTAL_CA_PASSPHRASE": "tests-only-not-a-passphrase",
    "PORTAL_AUDIT_KEY": "C" * 42 + "E",
    "PORTAL_AUDIT_SIGNING_KEY": "D" * 42 + "E",
}.items():
    os.environ[name] = value

from portal.crypto.pins import Cost  # noqa: E402
from portal.env import read_database_url  # noqa: E402
from portal.settings import *  # noqa: E402, F403
from portal.settings import DATABASES, SQLITE, VAR  # noqa: E402

(VAR / "static").mkdir(parents=True, exist_ok=True)  # WhiteNoise warns without it
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
TEST_DATABASE_URL = os.environ.get("PORTAL_TEST_DATABASE_URL", "")
if TEST_DATABASE_URL:
    DATABASES["default"] = dict(read_database_url(TEST_DATABASE_URL))
else:
    DATABASES["default"] = {**SQLITE, "TEST": {"NAME": str(VAR / "test.sqlite3")}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CELERY_BROKER_URL = "memory://"
JOB_SENDER = "portal.jobs.note"
PASSWORD_HASHERS = [
    "portal.accounts.hashers.ClientSecretHasher",
    "django.contrib.auth.hashers.MD5PasswordHasher",
]
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
PIN_COST = Cost(8, 1, 1)  # the least that Argon2id takes
