"""The portal's pages about devices."""

from django.urls import path

from devices import views

app_name = "devices"
urlpatterns = [
    path("devices", views.device_list, name="list"),
    path("devices/<uuid:device_id>", views.device_detail, name="detail"),
    path("devices/<uuid:device_id>/activate", views.activate, name="activate"),
    path("devices/<uuid:device_id>/deactivate", views.deactivate, name="deactivate"),
    path("devices/<uuid:device_id>/block", views.block, name="block"),
]
