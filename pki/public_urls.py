"""What anybody may fetch, as certificates point to it: authorities, revocation lists, OCSP."""

from django.urls import URLPattern

app_name = "pki-public"
urlpatterns: list[URLPattern] = []
