"""What is kept sealed of phrases and links, and how a phrase is found by it."""

from merchants.models.links import DEVICE_ID, PHRASE, Link, Phrase
from merchants.phrases import normal_form
from portal.sealed import BlindIndex, SealedColumn, register

phrase = SealedColumn(model=Phrase, column="text_sealed", purpose=PHRASE)

register(
    phrase,
    SealedColumn(model=Link, column="device_id_sealed", purpose=DEVICE_ID),
    indexes=(BlindIndex(sealed=phrase, indexed=normal_form),),
)
