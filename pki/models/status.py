"""What the world is told about certificates: CRLs and OCSP answers, signed beforehand."""

from typing import ClassVar

from django.db import models

from pki.models.authorities import CertificateAuthority
from pki.models.certificates import Certificate


class PublishedCrl(models.Model):
    """One CRL. The one with the highest number is served; older ones are kept for those who look into an incident."""

    authority = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="crls")
    number = models.PositiveBigIntegerField()
    der = models.BinaryField()
    entries = models.PositiveIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["authority", "number"], name="crl_number_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["authority", "-number"], name="crl_newest")]


class CrlChange(models.Model):
    """Something that the next CRL of an authority has to say. Written with the change itself, deleted with the CRL
    that says it."""

    authority = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()


class OcspAnswer(models.Model):
    """A signed answer without a nonce. Deleted in the transaction that changes what it says."""

    certificate = models.OneToOneField(
        Certificate, on_delete=models.CASCADE, primary_key=True, related_name="ocsp_answer"
    )
    der = models.BinaryField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["next_update"], name="ocsp_answer_to_refresh")]
