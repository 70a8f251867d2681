"""The addresses of what waits for a second person."""

from django.urls import path

from portal.web import approval_policy, approvals

app_name = "approvals"
urlpatterns = [
    path("approvals", approvals.request_list, name="list"),
    path("approvals/policy", approval_policy.policy, name="policy"),
    path("approvals/<str:request_id>", approvals.request_detail, name="detail"),
    path("approvals/<str:request_id>/decide", approvals.decide, name="decide"),
    path("approvals/<str:request_id>/withdraw", approvals.withdraw, name="withdraw"),
]
