"""Asseco's addresses below /v1/device/. The last line catches every address that nobody has."""

from django.urls import path, re_path

from portal.api.asseco import views

app_name = "asseco"
urlpatterns = [
    path("owned-devices", views.OwnedDevicesView.as_view(), name="owned-devices"),
    path("owned-devices/<str:device_id>", views.OwnedDeviceView.as_view(), name="owned-device"),
    path("owned-devices/<str:device_id>/nickname", views.NicknameView.as_view(), name="nickname"),
    path(
        "owned-devices/<str:device_id>/push-notification-handle", views.PushHandleView.as_view(), name="push-handle"
    ),
    path("owned-devices/<str:device_id>/block", views.BlockView.as_view(), name="block"),
    path("owned-devices/<str:device_id>/unblock", views.UnblockView.as_view(), name="unblock"),
    path("owned-devices/<str:device_id>/unregister", views.UnregisterOwnedView.as_view(), name="unregister-owned"),
    path("devices/<str:device_id>", views.DeviceView.as_view(), name="device"),
    path("devices/<str:device_id>/unregister", views.UnregisterView.as_view(), name="unregister"),
    re_path(r"[\s\S]*", views.UnknownAssecoView.as_view(), name="unknown"),
]
