"""What approvals keep sealed."""

from portal.approvals.models import ApprovalRequest
from portal.approvals.payloads import PURPOSE
from portal.sealed import SealedColumn, register

register(SealedColumn(model=ApprovalRequest, column="payload_sealed", purpose=PURPOSE, batch=100))
