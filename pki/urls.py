"""The portal's pages about certificates."""

from django.urls import URLPattern

app_name = "pki"
urlpatterns: list[URLPattern] = []
