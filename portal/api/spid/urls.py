"""SPiD's addresses below /api/2/. The last line catches every address that nobody has."""

from django.urls import path, re_path

from portal.api.spid import views

app_name = "spid"
urlpatterns = [
    path("devices", views.DevicesView.as_view(), name="devices"),
    path("devices.json", views.DevicesJsonView.as_view(), name="devices-json"),
    re_path(r"[\s\S]*", views.UnknownSpidView.as_view(), name="unknown"),
]
