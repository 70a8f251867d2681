"""Adiba's addresses below /v1/device/. What starts like one of them and is none answers in Adiba's form too."""

from django.urls import path, re_path

from portal.api.adiba import approval_views, cert_views, ownership_views, pin_views, rotation_views, views

app_name = "adiba"
urlpatterns = [
    path("status", views.StatusView.as_view(), name="status"),
    path("cert/request", cert_views.CertRequestView.as_view(), name="cert-request"),
    path("cert/request/<str:csr_id>", cert_views.CertRequestPollView.as_view(), name="cert-request-poll"),
    path("cert/sign", cert_views.CertSignView.as_view(), name="cert-sign"),
    path("cert/bundle", cert_views.CertBundleView.as_view(), name="cert-bundle"),
    path("cert/rotate", rotation_views.RotateView.as_view(), name="cert-rotate"),
    path("cert/rotate/<str:rotation_id>", rotation_views.RotationView.as_view(), name="cert-rotation"),
    path("cert/prove", rotation_views.ProveView.as_view(), name="cert-prove"),
    path("ownership/transfer", ownership_views.OwnershipTransferView.as_view(), name="ownership-transfer"),
    path("ownership/accept", ownership_views.OwnershipAcceptView.as_view(), name="ownership-accept"),
    path("ownership/decline", ownership_views.OwnershipDeclineView.as_view(), name="ownership-decline"),
    path("ownership/cancel", ownership_views.OwnershipCancelView.as_view(), name="ownership-cancel"),
    path("ownership/<str:transfer_id>", ownership_views.OwnershipPollView.as_view(), name="ownership-poll"),
    path("pin", pin_views.PinView.as_view(), name="pin"),
    path("pin/change", pin_views.PinChangeView.as_view(), name="pin-change"),
    path("pin/reset", pin_views.PinResetView.as_view(), name="pin-reset"),
    path("pin/confirm", pin_views.PinConfirmView.as_view(), name="pin-confirm"),
    path("approvals/<str:approval_id>", approval_views.ApprovalView.as_view(), name="approval"),
    re_path(
        r"^(?:status|cert|pin|ownership|approvals)(?:/[\s\S]*)?$", views.UnknownAdibaView.as_view(), name="unknown"
    ),
]
