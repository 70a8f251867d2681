"""Phrases, links, and the merchants that look them up."""

from merchants.models.links import Link, Phrase
from merchants.models.merchants import BUDGET, LEAST, MOST, LookupHour, Merchant, MerchantAlert, Sighting, hour_of
from merchants.models.positions import LinkOrder, LinkSpan, LinkTotal

__all__ = [
    "BUDGET",
    "LEAST",
    "MOST",
    "Link",
    "LinkOrder",
    "LinkSpan",
    "LinkTotal",
    "LookupHour",
    "Merchant",
    "MerchantAlert",
    "Phrase",
    "Sighting",
    "hour_of",
]
