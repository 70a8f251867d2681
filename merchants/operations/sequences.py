"""Ids that a merchant tries one after the other: counted in the cache, by keyed digests, never in the clear."""

from typing import Final

from portal import ratelimit

MANY: Final = 20  # different ids of one stem in an hour
TAIL: Final = 2  # the last characters, in which ids of one stem differ
HOUR: Final = 3600  # seconds; begins with the clock's hour, as the cache's windows do


def noticed(bank_id: object, merchant_id: int, device_id: str) -> int:
    """How many ids of one stem this one makes, when that calls for an alert; otherwise 0.

    It does at each `MANY` different ids that are alike but for their last `TAIL` characters: of two alerts that got
    lost the third is noticed. Each id counts once an hour. A cache that does not answer counts nothing.
    """
    merchant = f"{bank_id}|{merchant_id}"
    if ratelimit.tally("lookup-id", f"{merchant}|{device_id}", window=HOUR) != 1:
        return 0
    stem = f"{merchant}|{len(device_id)}|{device_id[:-TAIL]}"
    alike = ratelimit.tally("lookup-stem", stem, window=HOUR)
    return alike if alike and alike % MANY == 0 else 0
