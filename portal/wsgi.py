"""The web server's door. A broken setting stops it with one line."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from portal.checks import require_safe_settings  # noqa: E402  the settings have to be loaded first

require_safe_settings()
