"""A worker of its own for a test that kills it: it renews what is due, and prints a line at each step.

    python -m pki.tests.rotator DATABASE

The settings and the database are those of the test that starts it.
"""

import os
import sys
from collections.abc import Callable
from typing import Any


def main(database: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.test_settings"
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    import django

    django.setup()
    from pki.operations import issuance, rotation_work

    for module, name in (
        (rotation_work, "_claim"),
        (rotation_work, "_begin"),
        (issuance, "issue"),
        (issuance, "store"),
    ):
        setattr(module, name, told(name, getattr(module, name)))
    while rotation_work.rotate_batch(seconds=600):
        pass


def told(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    """The step, with a line when it is over."""

    def run(*args: Any, **kwargs: Any) -> Any:
        result = step(*args, **kwargs)
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        return result

    return run


if __name__ == "__main__":
    main(sys.argv[1])
