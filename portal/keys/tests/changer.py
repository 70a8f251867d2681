"""A worker of its own for a test that kills it: it works on the open change as it is told, one line after the other.

    python -m portal.keys.tests.changer DATABASE

`step` does one step and answers `step`, or `over` when no change is open. `half` answers `inside` when the batch is
written and not yet committed, and stands still there; a step that is no batch is done as any other.
The settings and the database are those of the test that starts it; the keys are new before old.
"""

import os
import sys
from contextlib import nullcontext
from unittest.mock import patch


def main(database: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.test_settings"
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    import django

    django.setup()
    from portal.keys import batches, engine
    from portal.keys.tests import rings

    with rings.both():
        for line in iter(sys.stdin.readline, ""):
            change = engine.open_change()
            if change is None:
                say("over")
                return
            with patch.object(batches, "_note_broken", stand_still) if line == "half\n" else nullcontext():
                engine.step(change)
            say("step")


def stand_still(*args: object) -> None:
    """Until somebody kills us, or is gone; nothing is committed."""
    say("inside")
    sys.stdin.readline()
    sys.exit(1)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
