"""Hyphen's addresses below /device/v1/. The last line catches every address that nobody has."""

from django.urls import path, re_path

from portal.api.hyphen import evidence_views, twofa_views, views

app_name = "hyphen"
urlpatterns = [
    path("devices", views.DevicesView.as_view(), name="devices"),
    path("devices/<str:public_key>", views.DeviceView.as_view(), name="device"),
    path("2fa", twofa_views.TwoFactorsView.as_view(), name="two-factors"),
    path("2fa/<str:id>", twofa_views.TwoFactorView.as_view(), name="two-factor"),
    path("2fa/<str:id>/approve", twofa_views.ApproveView.as_view(), name="approve"),
    path("2fa/<str:id>/evidence", evidence_views.EvidenceView.as_view(), name="evidence"),
    re_path(r"[\s\S]*", views.UnknownHyphenView.as_view(), name="unknown"),
]
