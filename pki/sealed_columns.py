"""What the authority keeps sealed: keys that it made for devices, until they are handed out."""

from pki.models import CertificateRequest
from pki.operations.request_steps import KEY
from portal.sealed import SealedColumn, register

register(SealedColumn(model=CertificateRequest, column="key_sealed", purpose=KEY))
