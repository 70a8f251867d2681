"""The portal's own pages."""

from django.urls import include, path

from portal.web import account, dashboard, docs, keys, outbox, passkeys, sign_in, staff, step_up, theme

NAMESPACE = "web"
pages = [
    path("", dashboard.dashboard, name="dashboard"),
    path("sign-in", sign_in.sign_in, name="sign-in"),
    path("sign-in/code", sign_in.code, name="sign-in-code"),
    path("sign-in/passkey", passkeys.sign_in, name="sign-in-passkey"),
    path("sign-in/enrol", sign_in.enrol, name="enrol"),
    path("sign-out", sign_in.sign_out, name="sign-out"),
    path("theme", theme.choose, name="theme"),
    path("account", account.account, name="account"),
    path("account/sessions/end-others", account.end_other_sessions, name="sessions-end-others"),
    path("account/sessions/<slug:session_id>/end", account.end_session, name="session-end"),
    path("account/sessions/end-all", account.end_all_sessions, name="sessions-end-all"),
    path("account/passkeys/new", passkeys.new, name="passkey-new"),
    path("account/passkeys/<uuid:passkey_id>/remove", passkeys.remove, name="passkey-remove"),
    path("account/step-up", step_up.step_up, name="step-up"),
    path("account/backup-codes", account.backup_codes, name="backup-codes"),
    path("account/api-token", account.api_token, name="api-token"),
    path("staff", staff.staff_list, name="staff"),
    path("staff/<uuid:user_id>/reset-second-factor", staff.reset, name="staff-reset"),
    path("outbox", outbox.outbox, name="outbox"),
    path("outbox/<uuid:message_id>", outbox.outbox_message, name="outbox-message"),
    path("keys", keys.keys, name="keys"),
    path("docs", docs.docs, name="docs"),
]
urlpatterns = [
    path("", include((pages, NAMESPACE))),
    path("", include("portal.web.approval_urls")),
    path("", include("portal.web.audit_urls")),
]
