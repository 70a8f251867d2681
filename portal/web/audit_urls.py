"""The audit browser's addresses."""

from django.urls import path

from portal.web import audit

app_name = "audit"
urlpatterns = [
    path("audit", audit.event_list, name="list"),
    path("audit/<uuid:event_id>", audit.event_detail, name="detail"),
]
