"""What the outbox keeps sealed."""

from portal.outbox.gateways.sink import PURPOSE
from portal.outbox.models import Message, SinkDelivery
from portal.outbox.operations import BODY, RECIPIENT
from portal.sealed import SealedColumn, register

register(
    SealedColumn(model=Message, column="recipient_sealed", purpose=RECIPIENT),
    SealedColumn(model=Message, column="body_sealed", purpose=BODY),
    SealedColumn(model=SinkDelivery, column="text_sealed", purpose=PURPOSE),
)
