"""The sealed column that no app owns."""

from portal.idempotency import PURPOSE
from portal.models import StoredAnswer
from portal.sealed import SealedColumn, register

register(SealedColumn(model=StoredAnswer, column="answer_sealed", purpose=PURPOSE, row="scope", batch=100))
