"""E-mail through the server that settings.MAILERS["default"] names."""

import smtplib
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage

from portal.outbox.gateways.base import GatewayError, Outgoing

PERMANENT = range(500, 600)  # RFC 5321 4.2.1: the same command will not work later either


class EmailGateway:
    """Sends plain text. The Message-ID is the message's own id, so a repeat is known by its receiver."""

    def send(self, message: Outgoing) -> None:
        domain = parseaddr(settings.EMAIL_FROM)[1].rpartition("@")[2] or "localhost"
        mail = EmailMessage(
            message.subject,
            message.body,
            settings.EMAIL_FROM,
            [message.recipient],
            headers={"Message-ID": f"<{message.key}@{domain}>", "Auto-Submitted": "auto-generated"},
        )
        try:
            mail.send(using="default")
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(min(code for code, _ in error.recipients.values())) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None
        except (smtplib.SMTPException, OSError) as error:
            raise GatewayError(f"mail server unavailable: {type(error).__name__}", retry=True) from None
        except ValueError:  # a line break in a header, an address that is none
            raise GatewayError("not an e-mail address or subject", retry=False) from None


def _refused(code: int) -> GatewayError:
    """An answer's text may repeat the address: only its number is kept."""
    return GatewayError(f"mail server answered {code}", retry=code not in PERMANENT)
