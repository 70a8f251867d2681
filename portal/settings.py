"""All settings, read from the environment (PORTAL_*). docs/configuration.md describes each one."""

import hashlib
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from portal import logs
from portal.crypto.pins import OWASP
from portal.demo_secrets import demo_secrets
from portal.env import Environment, Problem, read_database_url

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
MODE = env.choice("PORTAL_MODE", ("demo", "production"))
DEMO = MODE == "demo"
DEBUG = False
PORT = env.number("PORT", 8000, low=1, high=65535)
BIND = env.text("PORTAL_BIND", "127.0.0.1")
VAR = Path(env.text("PORTAL_VAR", str(BASE_DIR / "var"))).resolve()
BASE_URL = env.text("PORTAL_BASE_URL", f"http://127.0.0.1:{PORT}" if DEMO else "").rstrip("/")

# Secrets. In the demo those that are not given are made once and kept in VAR.
SECRET_NAMES = (
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
SECRETS = {name: env.secret(name) for name in SECRET_NAMES}
if DEMO:
    SECRETS = {name: SECRETS[name] or value for name, value in demo_secrets(VAR, SECRET_NAMES).items()}
# Django refuses an empty key while it loads; the start-up check says it in our words.
SECRET_KEY = SECRETS["PORTAL_SECRET_KEY"] or "missing"
SEALING_KEYS = env.keys("PORTAL_SEALING_KEYS", SECRETS["PORTAL_SEALING_KEYS"])
INDEX_KEYS = env.keys("PORTAL_INDEX_KEYS", SECRETS["PORTAL_INDEX_KEYS"])
DIGEST_KEY = env.key("PORTAL_DIGEST_KEY", SECRETS["PORTAL_DIGEST_KEY"])
PAIRWISE_KEY = env.key("PORTAL_PAIRWISE_KEY", SECRETS["PORTAL_PAIRWISE_KEY"])
FINGERPRINT_KEY = env.key("PORTAL_FINGERPRINT_KEY", SECRETS["PORTAL_FINGERPRINT_KEY"])
PIN_PEPPERS = env.keys("PORTAL_PIN_PEPPERS", SECRETS["PORTAL_PIN_PEPPERS"])
AUDIT_KEY = env.key("PORTAL_AUDIT_KEY", SECRETS["PORTAL_AUDIT_KEY"])
AUDIT_SIGNING_KEY = env.key("PORTAL_AUDIT_SIGNING_KEY", SECRETS["PORTAL_AUDIT_SIGNING_KEY"])
PIN_COST = OWASP
# The demo's own identity provider signs for anybody.
DEMO_PROVIDER = env.text("PORTAL_DEMO_PROVIDER", "on" if DEMO else "off") == "on"
# Where addresses that staff type in may stand besides public ones: identity providers, webhooks.
INSIDE_NETWORKS = env.networks("PORTAL_INSIDE_NETWORKS")
# Weak PINs that are taken all the same: those of the vendor's printed samples, so that they run in the demo.
ACCEPTED_WEAK_PINS = env.words("PORTAL_ACCEPTED_WEAK_PINS", "123456,654321,789012" if DEMO else "")

# Where we are reached, and by whom.
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"] if DEMO else env.words("PORTAL_ALLOWED_HOSTS")
TRUSTED_PROXIES = env.networks("PORTAL_TRUSTED_PROXIES")
CLIENT_CERT_HEADER = env.header("PORTAL_CLIENT_CERT_HEADER")  # as WSGI spells it; "": no certificate is read
METRICS_ALLOW = env.networks("PORTAL_METRICS_ALLOW", "127.0.0.0/8,::1/128")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # stripped unless it comes from a trusted proxy
CSRF_TRUSTED_ORIGINS = [BASE_URL] if BASE_URL else []

# Database. Operations own their transactions: ATOMIC_REQUESTS stays off.
DATABASE_URL = env.secret("PORTAL_DATABASE_URL")
SQLITE = {
    "ENGINE": "portal.sqlite",
    "NAME": VAR / "portal.sqlite3",
    "CONN_MAX_AGE": None,  # opening and its PRAGMAs cost more than a query
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 60,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    },
}
WEB_WORKERS = env.number("PORTAL_WEB_WORKERS", 2, low=1, high=64)  # processes
WEB_THREADS = env.number("PORTAL_WEB_THREADS", 32, low=1, high=512)
PIN_THREADS = env.number("PORTAL_PIN_THREADS", 2, low=1, high=64)  # of each process, for hashing PINs


def _database() -> dict[str, object]:
    if not DATABASE_URL:
        return dict(SQLITE)
    try:
        database = read_database_url(DATABASE_URL)
    except ValueError as error:
        env.problem("portal.E007", "PORTAL_DATABASE_URL cannot be read.", str(error))
        return dict(SQLITE)
    pool = {"min_size": 2, "max_size": WEB_THREADS + 4, "timeout": 15}
    return {**database, "OPTIONS": {**database["OPTIONS"], "pool": pool}}


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


# Valkey: the broker's doorbell (db 0) and the cache (db 1). Without URLs, the embedded server's socket.
def _socket() -> Path:
    """The embedded server's socket. Its path may have 108 bytes, so that of a deep VAR is in a short folder."""
    path = VAR / "run" / "valkey.sock"
    if len(str(path)) <= 100:
        return path
    digest = hashlib.sha256(str(VAR).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"portal-{digest}" / "valkey.sock"


VALKEY_SOCKET = _socket()
_broker, _cache = env.secret("PORTAL_BROKER_URL"), env.secret("PORTAL_CACHE_URL")
BROKER_URL = _broker or f"redis+socket://{VALKEY_SOCKET}?virtual_host=0"
CACHE_URL = _cache or f"unix://{VALKEY_SOCKET}?db=1"
EMBEDDED_VALKEY = not (_broker and _cache)
CACHES = {
    "default": {
        "BACKEND": "portal.valkey.ValkeyCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "portal",
    }
}

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_otp",
    "axes",
    "django_htmx",
    "portal",
    "portal.audit",
    "portal.outbox",
    "portal.accounts",
    "portal.keys",
    "portal.approvals",
    "devices",
    "merchants",
    "pki",
    "twofa",
    "portal.web",
]

MIDDLEWARE = [
    "portal.requests.RequestContextMiddleware",
    "portal.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.accounts.sessions.PortalSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",  # does nothing here; axes warns (axes.W002) without it
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.context.shell",
            ],
        },
    }
]

# People and their sessions.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "portal.accounts.backends.StaffBackend"]
PASSWORD_HASHERS = [
    "portal.accounts.hashers.PasswordHasher",
    "portal.accounts.hashers.ClientSecretHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "web:sign-in"
SESSION_ENGINE = "portal.accounts.sessions"
# Where these paths begin no session is read or made: a cookie opens no API.
WITHOUT_SESSION = (
    "/v1/",
    "/device/v1/",
    "/auth/v1/",
    "/api/",
    "/oauth/",
    "/demo/",
    "/.well-known/",
    "/static/",
    "/pki/",
    "/healthz",
    "/readyz",
    "/metrics",
)
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_NAME = "portal_session" if DEMO else "__Host-session"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "portal_csrf" if DEMO else "__Host-csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.web.errors.csrf_failure"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "portal.requests.client_ip"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
OTP_TOTP_ISSUER = "Device Trust"
# Passkeys are bound to a domain, never to an address: in the demo they work at http://localhost only.
PASSKEY_ORIGINS = [f"http://localhost:{PORT}"] if DEMO else [BASE_URL]
PASSKEY_DOMAIN = urlsplit(PASSKEY_ORIGINS[0]).hostname or ""

# Web hygiene. The demo is plain http on loopback; production is https only.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not DEMO
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^pki/"]
SECURE_HSTS_SECONDS = 0 if DEMO else 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEMO
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}
BODY_LIMIT = 64 * 1024  # bytes of a request's body at the API
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

# OAuth 2.0 by RFC 9700. Tokens are kept as SHA-256 only.
OAUTH2_PROVIDER_APPLICATION_MODEL = "accounts.Application"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "accounts.AccessToken"
OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "accounts.RefreshToken"
OAUTH2_PROVIDER_GRANT_MODEL = "accounts.Grant"
OAUTH2_PROVIDER_ID_TOKEN_MODEL = "accounts.IDToken"
OAUTH2_PROVIDER_DEVICE_GRANT_MODEL = "accounts.DeviceGrant"
OAUTH2_PROVIDER = {
    "SCOPES_BACKEND_CLASS": "portal.accounts.scopes.ApplicationScopes",
    "SCOPES": {},
    "DEFAULT_SCOPES": [],
    "OAUTH2_VALIDATOR_CLASS": "portal.accounts.validator.PortalOAuth2Validator",
    "CLIENT_SECRET_HASHER": "portal_client_secret",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 24 * 3600,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ROTATE_REFRESH_TOKEN": True,
    "PKCE_REQUIRED": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "portal.api.schema.DialectSchema",
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "portal.api.base.handle_exception",
}
API_CALLS_PER_MINUTE = env.number("PORTAL_API_CALLS_PER_MINUTE", 60_000, low=1, high=10_000_000)
SPID_CALLS_PER_HOUR = env.number("PORTAL_SPID_CALLS_PER_HOUR", 3600, low=1, high=10_000_000)  # the vendor's own limit
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "DISABLE_ERRORS_AND_WARNINGS": False,
}

# drf-spectacular checks one schema over all dialects, which nobody is served; the tests check each dialect's own.
SILENCED_SYSTEM_CHECKS = ["drf_spectacular.W001"]

# Background work.
JOB_SENDER = "portal.doorbell.send"
WORKER_THREADS = env.number("PORTAL_WORKER_THREADS", 4, low=1, high=64)
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # the rows wait as long as the broker is away
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "portal"
CELERY_BEAT_SCHEDULE = {
    "audit.seal": {"task": "audit.seal", "schedule": 1.0, "options": {"expires": 5}},
    "audit.sweep": {"task": "audit.sweep", "schedule": 3600.0},
    "outbox.sweep": {"task": "outbox.sweep", "schedule": 10.0, "options": {"expires": 30}},
    "approvals.expire": {"task": "approvals.expire", "schedule": 60.0, "options": {"expires": 120}},
    "transfers.sweep": {"task": "transfers.sweep", "schedule": 30.0, "options": {"expires": 60}},
    "imports.sweep": {"task": "imports.sweep", "schedule": 10.0, "options": {"expires": 30}},
    "twofa.sweep": {"task": "twofa.sweep", "schedule": 30.0, "options": {"expires": 60}},
    "merchants.watch": {"task": "merchants.watch", "schedule": 60.0, "options": {"expires": 120}},
    "pki.settle": {"task": "pki.settle", "schedule": 30.0, "options": {"expires": 60}},
    "pki.lapse_requests": {"task": "pki.lapse_requests", "schedule": 300.0},
    "pki.roll_overs": {"task": "pki.roll_overs", "schedule": 60.0, "options": {"expires": 120}},
    "pki.publish_crls": {"task": "pki.publish_crls", "schedule": 60.0, "options": {"expires": 120}},
    "pki.refresh_ocsp": {"task": "pki.refresh_ocsp", "schedule": 60.0, "options": {"expires": 120}},
    "pki.renew_responders": {"task": "pki.renew_responders", "schedule": 3600.0},
    "pki.expire": {"task": "pki.expire", "schedule": 600.0},
    "pki.plan_rotations": {"task": "pki.plan_rotations", "schedule": 60.0, "options": {"expires": 120}},
    "pki.rotate_batch": {"task": "pki.rotate_batch", "schedule": 10.0, "options": {"expires": 10}},
    "pki.end_overlaps": {"task": "pki.end_overlaps", "schedule": 60.0, "options": {"expires": 120}},
    "keys.sweep": {"task": "keys.sweep", "schedule": 10.0, "options": {"expires": 30}},
    "portal.beat": {"task": "portal.beat", "schedule": 15.0, "options": {"expires": 30}},
    "portal.clean": {"task": "portal.clean", "schedule": 600.0},
}

# Certificates. Addresses that stand in certificates are plain http: what they lead to is signed itself (RFC 5280 8).
PKI_URL = env.text("PORTAL_PKI_URL", BASE_URL.replace("https://", "http://", 1)).rstrip("/")
CA_DIR = Path(env.text("PORTAL_CA_DIR", str(VAR / "ca"))).resolve()
CA_PASSPHRASE = SECRETS["PORTAL_CA_PASSPHRASE"]
PKCS11_MODULE = env.text("PORTAL_PKCS11_MODULE")
PKCS11_TOKEN = env.text("PORTAL_PKCS11_TOKEN")
PKCS11_PIN = env.secret("PORTAL_PKCS11_PIN")

# Mail, used by the e-mail gateway.
EMAIL_FROM = env.text("PORTAL_EMAIL_FROM", "portal@localhost")
EMAIL_SECURITY = env.choice("PORTAL_EMAIL_SECURITY", ("starttls", "tls", "none"))
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": env.text("PORTAL_EMAIL_HOST", "localhost"),
            "port": env.number("PORTAL_EMAIL_PORT", 587, low=1, high=65535),
            "username": env.text("PORTAL_EMAIL_USER"),
            "password": env.secret("PORTAL_EMAIL_PASSWORD"),
            "use_tls": EMAIL_SECURITY == "starttls",
            "use_ssl": EMAIL_SECURITY == "tls",
            "timeout": 10,
        },
    }
}
EMAIL_HOST_GIVEN = bool(env.text("PORTAL_EMAIL_HOST"))

# The other ways out of the outbox. The demo uses none of them.
SMS_URL = env.text("PORTAL_SMS_URL")
SMS_TOKEN = env.secret("PORTAL_SMS_TOKEN")
SMS_SIGNING_KEY = env.key("PORTAL_SMS_SIGNING_KEY", env.secret("PORTAL_SMS_SIGNING_KEY"))
SMS_FROM = env.text("PORTAL_SMS_FROM")
FCM_URL = "https://fcm.googleapis.com"
FCM_CREDENTIALS = env.secret("PORTAL_FCM_CREDENTIALS")
APNS_URL = {
    "production": "https://api.push.apple.com",
    "sandbox": "https://api.sandbox.push.apple.com",
}[env.choice("PORTAL_APNS_ENVIRONMENT", ("production", "sandbox"))]
APNS_KEY = env.secret("PORTAL_APNS_KEY")
APNS_KEY_ID = env.text("PORTAL_APNS_KEY_ID")
APNS_TEAM_ID = env.text("PORTAL_APNS_TEAM_ID")
APNS_TOPIC = env.text("PORTAL_APNS_TOPIC")
OUTGOING_PROXY = env.text("PORTAL_OUTGOING_PROXY")
CA_FILE = env.text("PORTAL_CA_FILE")

# A bank's own function that looks at transaction ids of approvals that nothing signs.
TXID_CHECK = env.text("PORTAL_TXID_CHECK")

STATIC_URL = "/static/"
# The demo serves the pages' files from where they are; production collects them (manage.py collectstatic).
STATIC_ROOT = None if DEMO else Path(env.text("PORTAL_STATIC_ROOT", str(VAR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEMO
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
DATETIME_FORMAT = r"j M Y, H:i:s \U\T\C"
USE_TZ = True

LOG_LEVEL = env.choice("PORTAL_LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR"))
LOGGING = logs.configuration(LOG_LEVEL)

SETTING_PROBLEMS: list[Problem] = env.problems
