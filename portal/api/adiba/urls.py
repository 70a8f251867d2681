"""Adiba's addresses below /v1/device/. What starts like one of them and is none answers in Adiba's form too."""

from django.urls import path, re_path

from portal.api.adiba import views

app_name = "adiba"
urlpatterns = [
    path("status", views.StatusView.as_view(), name="status"),
    re_path(r"^(?:status|pin|ownership|approvals)(?:/[\s\S]*)?$", views.UnknownAdibaView.as_view(), name="unknown"),
]
