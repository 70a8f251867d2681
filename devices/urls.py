"""The portal's pages about devices."""

from django.urls import path

from devices.views import registry

app_name = "devices"
urlpatterns = [
    path("devices", registry.device_list, name="list"),
    path("devices/<uuid:device_id>", registry.device_detail, name="detail"),
    path("devices/<uuid:device_id>/activate", registry.activate, name="activate"),
    path("devices/<uuid:device_id>/deactivate", registry.deactivate, name="deactivate"),
    path("devices/<uuid:device_id>/block", registry.block, name="block"),
]
