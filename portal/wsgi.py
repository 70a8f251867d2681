"""The web server's door. A broken setting stops it with one line, before anything else is loaded."""

import os

import django
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)

from portal.checks import require_safe_settings  # noqa: E402  the settings have to be loaded first
from portal.database import limit_statements  # noqa: E402

require_safe_settings()
limit_statements()
application = get_wsgi_application()
