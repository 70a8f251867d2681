"""The bank's own look at a transaction id: a Python function that PORTAL_TXID_CHECK names.

    def check(*, application: str, account: str, operation: Mapping[str, object], text: str, tx_id: str) -> bool

application: the client id. account: `USR_…`. operation, text: what was shown. It is called outside any transaction,
and may ask whom it likes; a request waits for its answer. An approval it lets pass is still not signed.
"""

import logging

from django.conf import settings
from django.utils.module_loading import import_string

from portal.core.errors import Unavailable
from twofa.models import TwoFactorRequest
from twofa.operations.contents import content_of

log = logging.getLogger(__name__)


def is_good(request: TwoFactorRequest, tx_id: str) -> bool:
    """Whether the bank's function takes this transaction id; any is taken without one. Raises Unavailable."""
    if not settings.TXID_CHECK:
        return True
    content = content_of(request)
    try:
        answer = import_string(settings.TXID_CHECK)(
            application=request.application.client_id,
            account=request.account.public_id,
            operation=content.operation,
            text=content.text,
            tx_id=tx_id,
        )
    except Exception as error:
        log.exception("the check of a transaction id failed", extra={"request_id": str(request.pk)})
        raise Unavailable("Transaction ids cannot be checked right now.", code="tx-id-check-failed") from error
    return answer is True
