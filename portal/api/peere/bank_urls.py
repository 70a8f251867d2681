"""Peere's addresses below /v1/bank/. The last line catches every address that nobody has."""

from django.urls import path, re_path

from portal.api.peere import views

app_name = "peere-bank"
urlpatterns = [
    path("customer/device/link", views.LinkView.as_view(), name="link"),
    path("customer/device/unlink", views.UnlinkView.as_view(), name="unlink"),
    path("devices/list", views.DevicesView.as_view(), name="devices"),
    re_path(r"[\s\S]*", views.UnknownPeereView.as_view(), name="unknown"),
]
