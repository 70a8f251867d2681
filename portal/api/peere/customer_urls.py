"""Peere's addresses below /v1/customer/. The last line catches every address that nobody has."""

from django.urls import path, re_path

from portal.api.peere import views

app_name = "peere-customer"
urlpatterns = [
    path("device/lookup", views.LookupView.as_view(), name="lookup"),
    re_path(r"[\s\S]*", views.UnknownPeereView.as_view(), name="unknown"),
]
