"""Adiba's addresses below /v1/device/. What starts like one of them and is none answers in Adiba's form too."""

from django.urls import path, re_path

from portal.api.adiba import approval_views, ownership_views, pin_views, views

app_name = "adiba"
urlpatterns = [
    path("status", views.StatusView.as_view(), name="status"),
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
    re_path(r"^(?:status|pin|ownership|approvals)(?:/[\s\S]*)?$", views.UnknownAdibaView.as_view(), name="unknown"),
]
