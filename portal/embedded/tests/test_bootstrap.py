"""The bootstrap script, with made-up interpreters: each is a few lines of shell that note how they are called."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import pytest

pytestmark = pytest.mark.machine

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ("requirements-bootstrap.txt", "requirements.txt", "requirements-dev.txt")

# Answers the question for its version with $answer and $code; makes an environment that is a copy of itself.
PYTHON = """#!/bin/sh
log='{log}'
printf '%s %s\\n' "$0" "$*" | tr '\\n' ' ' >>"$log"; echo >>"$log"
case "$*" in
*version_info*) printf '%s' '{answer}'; exit {code} ;;
*' -m venv '*)
    for folder; do :; done
    mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python" && touch "$folder/pyvenv.cfg"
    printf '#!/bin/sh\\necho "uv $*" >>%s\\nexit {uv}\\n' "$log" >"$folder/bin/uv"
    chmod +x "$folder/bin/uv" ;;
*'pip config'*) exit 1 ;;
esac
"""


@dataclass
class Place:
    """A checkout with nothing but the script and the locks, an empty home and a PATH of its own."""

    folder: Path

    def __post_init__(self) -> None:
        self.log = self.folder / "calls"
        self.bin = self.folder / "bin"
        self.home = self.folder / "home"
        self.tree = self.folder / "tree"
        for path in (self.bin, self.home, self.tree):
            path.mkdir()
        shutil.copy(ROOT / "bootstrap", self.tree)
        for name in LOCKS:
            (self.tree / name).write_text(f"one==1 # {name}\ntwo==2\n")

    def python(self, path: Path, *, answer: str = "/a/python", code: int = 0, uv: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PYTHON.format(log=self.log, answer=answer, code=code, uv=uv))
        path.chmod(0o755)
        return path

    def good(self, path: Path, *, uv: int = 0) -> Path:
        return self.python(path, answer=str(path), uv=uv)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        values = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), **environment}
        command = [str(self.tree / "bootstrap"), *arguments]
        return subprocess.run(command, env=values, capture_output=True, text=True, timeout=60, check=False)

    def calls(self, word: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if word in line]

    def installed(self) -> str:
        """The lock file of the one installation that was made."""
        (call,) = self.calls("uv pip sync")
        return call.split()[-1]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def nothing_else() -> None:
    """For tests in which no interpreter fits: the script also looks into the usual folders of the machine."""
    folders = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/*/bin", "/opt/python/*/bin")
    if any(glob(f"{folder}/python3.1[2-9]") for folder in folders):
        pytest.skip("this machine has a Python 3.12 or newer in a system folder")


def test_an_older_interpreter_first_on_path_does_not_hide_a_newer_one(place: Place) -> None:
    place.python(place.bin / "python3", answer="3.9", code=3)
    newer = place.good(place.folder / "second" / "python3.12")
    done = place.run(PATH=f"{place.bin}:{newer.parent}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"making .venv with {newer}" in done.stdout
    assert place.installed() == "requirements.txt"


def test_a_version_managers_dead_entry_is_passed_over_for_its_versions_folder(place: Place) -> None:
    place.python(place.folder / "pyenv" / "shims" / "python3.13", answer="", code=127)
    real = place.good(place.folder / "pyenv" / "versions" / "3.13.1" / "bin" / "python")
    done = place.run(PATH=f"{place.folder / 'pyenv' / 'shims'}:/usr/bin:/bin")
    assert done.returncode == 0
    assert f"making .venv with {real}" in done.stdout


@pytest.mark.parametrize(
    "path",
    [".pyenv/versions/3.12.4/bin/python", ".local/share/uv/python/cpython-3.13/bin/python3", ".local/bin/python3.14"],
)
def test_usual_folders_of_the_home_are_searched(place: Place, path: str, nothing_else: None) -> None:
    real = place.good(place.home / path)
    assert f"making .venv with {real}" in place.run().stdout


@pytest.mark.usefixtures("nothing_else")
def test_without_a_new_enough_interpreter_one_line_says_what_to_do(place: Place) -> None:
    old = place.python(place.bin / "python3.11", answer="3.11", code=3)
    done = place.run()
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"Python 3.12 or newer is needed ({old} is 3.11)" in done.stderr
    assert not (place.tree / ".venv").exists()


@pytest.mark.usefixtures("nothing_else")
def test_an_interpreter_without_its_standard_library_is_named(place: Place) -> None:
    place.python(place.bin / "python3.12", answer="", code=4)
    done = place.run()
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "lacks venv, ssl or sqlite3" in done.stderr
    assert "apt-get install python3.12-venv" in done.stderr


def test_a_named_interpreter_that_does_not_fit_is_an_error_though_others_would(place: Place) -> None:
    place.good(place.bin / "python3.13")
    old = place.python(place.folder / "old", answer="3.8", code=3)
    done = place.run(PORTAL_PYTHON=str(old))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"PORTAL_PYTHON={old}" in done.stderr
    assert not (place.tree / ".venv").exists()


def test_a_repeat_installs_nothing(place: Place) -> None:
    place.good(place.bin / "python3.13")
    place.run()
    again = place.run()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert place.log.read_text().count("\n") == 1  # one look whether the interpreter runs


def test_an_edited_lock_is_installed_into_the_same_environment(place: Place) -> None:
    place.good(place.bin / "python3.13")
    place.run()
    (place.tree / "requirements.txt").write_text("one==2\n")
    done = place.run()
    assert "making" not in done.stdout
    assert "installing 1 packages from requirements.txt" in done.stdout
    assert place.installed() == "requirements.txt"


def test_tools_are_added_and_then_kept(place: Place) -> None:
    place.good(place.bin / "python3.13")
    place.run()
    place.run("dev")
    assert place.installed() == "requirements-dev.txt"
    place.run()
    assert place.calls("uv pip") == []
    (place.tree / "requirements.txt").write_text("one==2\n")
    place.run()
    assert place.installed() == "requirements-dev.txt"


def test_an_interrupted_installation_is_made_anew(place: Place) -> None:
    place.good(place.bin / "python3.13")
    place.run()
    (place.tree / ".venv" / ".unfinished").touch()
    (place.tree / ".venv" / "half a package").touch()
    done = place.run()
    assert "making .venv" in done.stdout
    assert not (place.tree / ".venv" / "half a package").exists()
    assert not (place.tree / ".venv" / ".unfinished").exists()


def test_an_environment_whose_interpreter_is_gone_is_made_anew(place: Place) -> None:
    place.good(place.bin / "python3.13")
    place.run()
    python = place.tree / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert "making .venv" in place.run().stdout
    assert place.run().stdout == ""


def test_a_folder_with_other_content_is_left_alone(place: Place) -> None:
    place.good(place.bin / "python3.13")
    mine = place.folder / "mine"
    mine.mkdir()
    (mine / "letter").write_text("dear")
    done = place.run(PORTAL_VENV=str(mine))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert (mine / "letter").read_text() == "dear"


def test_pip_steps_in_where_uv_fails(place: Place) -> None:
    place.good(place.bin / "python3.13", uv=1)
    done = place.run()
    assert done.returncode == 0
    assert len(place.calls("pip install -q --no-input --disable-pip-version-check --require-hashes")) == 1


def test_a_dead_runs_lock_is_taken_over(place: Place) -> None:
    place.good(place.bin / "python3.13")
    ended = subprocess.Popen(["true"])
    ended.wait()
    os.symlink(str(ended.pid), place.tree / ".venv.lock")
    assert place.run().returncode == 0
    assert not (place.tree / ".venv.lock").is_symlink()


def test_an_unknown_set_is_refused(place: Place) -> None:
    done = place.run("everything")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
