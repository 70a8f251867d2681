"""Forms of the outbox's pages."""

from portal.web.forms import WithReason, reason_field


class ResendForm(WithReason):
    """Why a message is sent again."""

    reason = reason_field("It is kept in the audit log.", rows=2)
