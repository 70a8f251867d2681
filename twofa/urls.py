"""The portal's pages about two-factor requests."""

from django.urls import URLPattern, path

from twofa.views import clients, enrolment, providers, push, requests

app_name = "twofa"
urlpatterns: list[URLPattern] = [
    path("two-factor", requests.request_list, name="requests"),
    path("two-factor/log-key", requests.log_key, name="log-key"),
    path("two-factor/push", push.push, name="push"),
    path("two-factor/clients", clients.client_list, name="clients"),
    path("two-factor/clients/new", clients.client_new, name="client-new"),
    path("two-factor/clients/<str:client_id>", clients.client_detail, name="client"),
    path("two-factor/clients/<str:client_id>/secret", clients.client_secret, name="client-secret"),
    path("two-factor/providers", providers.provider_list, name="providers"),
    path("two-factor/providers/new", providers.provider_new, name="provider-new"),
    path("two-factor/providers/<uuid:provider_id>", providers.provider_detail, name="provider"),
    path("two-factor/providers/<uuid:provider_id>/edit", providers.provider_edit, name="provider-edit"),
    path("two-factor/codes", enrolment.code_list, name="codes"),
    path("two-factor/codes/policy", enrolment.code_policy, name="code-policy"),
    path("two-factor/codes/<str:code_id>/cancel", enrolment.code_cancel, name="code-cancel"),
    path("two-factor/<uuid:request_id>", requests.request_detail, name="request"),
    path("two-factor/<uuid:request_id>/evidence", requests.evidence, name="evidence"),
    path("two-factor/<uuid:request_id>/review", requests.review, name="review"),
]
