"""Asseco's addresses below /v1/device/. The last line catches every address that nobody has."""

from django.urls import path, re_path

from portal.api.asseco import approval_views, issued_views, loss_views, views

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
    path(
        "approval-requests/<str:approval_id>", approval_views.ApprovalRequestView.as_view(), name="approval-request"
    ),
    path("issued-devices", issued_views.IssuedDevicesView.as_view(), name="issued-devices"),
    path("issued-devices/<str:device_id>", issued_views.IssuedDeviceView.as_view(), name="issued-device"),
    path(
        "issued-devices/<str:device_id>/nickname", issued_views.IssuedNicknameView.as_view(), name="issued-nickname"
    ),
    path("classifications", issued_views.ClassificationsView.as_view(), name="classifications"),
    path("classifications/<str:schema_id>", issued_views.ClassificationView.as_view(), name="classification"),
    path("owned-devices/<str:device_id>/report-lost", loss_views.OwnedLossView.as_view(), name="owned-loss"),
    path("issued-devices/<str:device_id>/report-lost", loss_views.IssuedLossView.as_view(), name="issued-loss"),
    re_path(r"[\s\S]*", views.UnknownAssecoView.as_view(), name="unknown"),
]
