"""Addresses of the OAuth endpoints: `urlpatterns` below `oauth/`, `well_known` at the root (RFC 8414 3)."""

from django.urls import path

from portal.accounts import oauth_views as views

app_name = "oauth"
urlpatterns = [
    path("token", views.token, name="token"),
    path("introspect", views.introspect, name="introspect"),
    path("revoke", views.revoke, name="revoke"),
]
well_known = [
    path(".well-known/oauth-authorization-server", views.metadata, name="oauth-metadata"),
]
