"""A web process of its own for a test that kills it: several threads that accept the transfers they are told of.

    python -m devices.tests.accepting DATABASE < lines of "transfer code token"

It prints a line for each answer. The settings and the database are those of the test that starts it.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

THREADS = 4


def main(database: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.test_settings"
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    import django

    django.setup()
    with ThreadPoolExecutor(THREADS) as pool:
        for status in pool.map(accept, [line.split() for line in sys.stdin]):
            sys.stdout.write(f"{status}\n")
            sys.stdout.flush()


def accept(told: list[str]) -> int:
    from django.test import Client

    transfer, code, token = told
    answer = Client().post(
        "/v1/device/ownership/accept",
        {"transferId": transfer, "acceptanceCode": code},
        content_type="application/json",
        headers={"authorization": f"Bearer {token}"},
    )
    return answer.status_code


if __name__ == "__main__":
    main(sys.argv[1])
