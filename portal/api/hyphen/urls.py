"""Hyphen's addresses below /device/v1/. The last line catches every address that nobody has."""

from django.urls import path, re_path

from portal.api.hyphen import views

app_name = "hyphen"
urlpatterns = [
    path("devices", views.DevicesView.as_view(), name="devices"),
    path("devices/<str:public_key>", views.DeviceView.as_view(), name="device"),
    re_path(r"[\s\S]*", views.UnknownHyphenView.as_view(), name="unknown"),
]
