"""Every address of the portal. No address has a trailing slash, but for Django's admin."""

from django.urls import URLPattern, URLResolver, include, path

from portal import health, metrics
from portal.accounts.oauth_urls import well_known
from portal.web.admin_site import site as admin_site

urlpatterns: list[URLPattern | URLResolver] = [
    path("pki/", include("pki.public_urls")),  # first: it is asked for most
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("", include("portal.api.urls")),
    path("oauth/", include("portal.api.authorize_urls")),
    path("oauth/", include("portal.accounts.oauth_urls")),
    path("demo/provider/", include("portal.demo.provider_urls")),  # 404 outside the demo
    *well_known,
    path("admin/", admin_site.urls),
    path("", include("devices.urls")),
    path("", include("devices.customer_urls")),
    path("", include("merchants.link_urls")),
    path("", include("merchants.merchant_urls")),
    path("", include("pki.urls")),
    path("", include("twofa.urls")),
    path("", include("portal.web.urls")),
]

handler400 = "portal.api.dispatch.bad_request"
handler403 = "portal.api.dispatch.forbidden"
handler404 = "portal.api.dispatch.not_found"
handler500 = "portal.api.dispatch.server_error"
