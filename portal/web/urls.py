"""The portal's own pages."""

from django.urls import include, path

from portal.web import account, dashboard, docs, outbox, sign_in, theme

NAMESPACE = "web"
pages = [
    path("", dashboard.dashboard, name="dashboard"),
    path("sign-in", sign_in.sign_in, name="sign-in"),
    path("sign-in/code", sign_in.code, name="sign-in-code"),
    path("sign-in/enrol", sign_in.enrol, name="enrol"),
    path("sign-out", sign_in.sign_out, name="sign-out"),
    path("theme", theme.choose, name="theme"),
    path("account", account.account, name="account"),
    path("account/sessions/end-others", account.end_other_sessions, name="sessions-end-others"),
    path("account/sessions/<slug:session_id>/end", account.end_session, name="session-end"),
    path("account/backup-codes", account.backup_codes, name="backup-codes"),
    path("account/api-token", account.api_token, name="api-token"),
    path("outbox", outbox.outbox, name="outbox"),
    path("outbox/<uuid:message_id>", outbox.outbox_message, name="outbox-message"),
    path("docs", docs.docs, name="docs"),
]
urlpatterns = [
    path("", include((pages, NAMESPACE))),
    path("", include("portal.web.approval_urls")),
    path("", include("portal.web.audit_urls")),
]
