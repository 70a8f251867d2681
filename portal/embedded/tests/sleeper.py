"""A child for the tests: notes who it is, starts a child of its own, and sleeps."""

import os
import signal
import subprocess
import time
from pathlib import Path


def main() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as grandchild:
        if os.environ.get("SLEEPER_STUBBORN"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(os.environ["SLEEPER_NOTE"]).write_text(f"{os.getpid()} {grandchild.pid} {os.getppid()}\n")
        time.sleep(60)


if __name__ == "__main__":
    main()
