"""Sets the project up: makes `.venv`, chooses torch, installs understudy with the extras asked for.

Usage: `python3 tools/setup.py [EXTRA,EXTRA...]`

Needs nothing but the standard library, and parses under Python 3.8, so that an old Python is
answered with a sentence. A stamp, written last, makes the next run instant; whatever an interrupted
run left behind is taken up again or thrown away. Everything it says goes to standard error.

Environment:
    UNDERSTUDY_TORCH: `cpu` or `cuda` chooses the build of torch; otherwise the machine decides.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from torch_build import choose_torch, fits, has_gpu, installed_torch, tested_torch
from trouble import ROOM_FOR_PIP_BYTES, SetupError, disk_full, raise_known, unknown_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SUPPORTED = ((3, 11), (3, 12), (3, 13))
TALKATIVE_MEGABYTES = 20.0


class Place(NamedTuple):
    """Where things are, for a checkout at `root`."""

    root: Path

    @property
    def venv(self) -> Path:
        """The virtual environment."""
        return self.root / ".venv"

    @property
    def stamp(self) -> Path:
        """What is installed; present, but unfinished, from the first moment of a set-up."""
        return self.venv / "understudy-setup.json"

    @property
    def log(self) -> Path:
        """Everything that pip said during the last set-up."""
        return self.venv / "understudy-setup.log"

    @property
    def scratch(self) -> Path:
        """Where pip unpacks: beside the result, for /tmp may be small, and is not ours to clear."""
        return self.venv / "understudy-scratch"

    @property
    def python(self) -> Path:
        """The virtual environment's interpreter."""
        return self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def packages(self) -> Path:
        """The virtual environment's site-packages."""
        found = sorted(self.venv.glob("lib/python3*/site-packages"))
        return found[0] if found else self.venv / "Lib" / "site-packages"


class Wanted(NamedTuple):
    """What a finished set-up has: the key of its sources, its extras and its build of torch."""

    key: str
    extras: frozenset[str]
    torch: str


class Outcome(NamedTuple):
    """How a run of pip ended, and all that it said."""

    code: int
    text: str


if TYPE_CHECKING:
    Pip = Callable[[Sequence[str]], Outcome]


def say(sentence: str) -> None:
    """Prints to standard error: standard output belongs to the program that runs afterwards."""
    print("understudy: " + sentence, file=sys.stderr, flush=True)


# The interpreter -----------------------------------------------------------------------------


def refusal(version: str, executable: str) -> str:
    """The sentence for a Python that will not do."""
    return (
        f"needs Python 3.11, 3.12 or 3.13, but this is {version} ({executable}), and PATH has no "
        "python3.13, python3.12 or python3.11 that works. Install one of them and run this again."
    )


def find_python() -> str | None:
    """Path of the newest supported Python on PATH, or None.

    It is run rather than only looked up: a version manager's shim may stand for nothing.
    """
    import subprocess

    probe = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for major, minor in reversed(SUPPORTED):
        version = f"{major}.{minor}"
        path = shutil.which("python" + version)
        if path is None:
            continue
        with suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(
                [path, "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30
            )
            if answer.returncode == 0 and answer.stdout.decode().strip() == version:
                return path
    return None


def restart_under_better_python(arguments: Sequence[str]) -> int:
    """Runs this program again under a supported Python, and returns its exit code."""
    import subprocess

    path = find_python()
    if path is None:
        raise SetupError(refusal(sys.version.split()[0], sys.executable))
    return subprocess.call([path, os.path.abspath(__file__), *arguments])


# What is wanted, and whether it is there -----------------------------------------------------


def close_extras(names: Sequence[str], table: dict[str, list[str]]) -> frozenset[str]:
    """The extras named and those that they contain.

    Args:
        names: extras as the user wrote them.
        table: the project's `optional-dependencies`.
    """
    closed: set[str] = set()
    waiting = [name for name in names if name]
    while waiting:
        name = waiting.pop()
        if name not in table:
            raise SetupError(f"there is no extra '{name}'; there are: {', '.join(sorted(table))}.")
        if name in closed:
            continue
        closed.add(name)
        for requirement in table[name]:
            own = re.match(r"understudy\[([^\]]+)\]", requirement)
            if own:
                waiting += [part.strip() for part in own.group(1).split(",")]
    return frozenset(closed)


def read_wanted(place: Place, names: Sequence[str], torch: str) -> Wanted:
    """What a set-up of this checkout with these extras must have installed.

    Only the tables that change what is installed count: a new lint rule costs no set-up.
    """
    import tomllib

    if torch not in ("", "cpu", "cuda"):
        raise SetupError(f"UNDERSTUDY_TORCH is '{torch}'; it may be 'cpu', 'cuda' or unset.")
    tables = tomllib.loads((place.root / "pyproject.toml").read_text(encoding="utf-8"))
    project = tables["project"]
    sources = json.dumps([tables["build-system"], project], sort_keys=True).encode()
    digest = hashlib.sha256(sources + (place.root / "constraints.txt").read_bytes())
    extras = close_extras(names, project["optional-dependencies"])
    return Wanted(digest.hexdigest(), extras, torch)


def read_stamp(place: Place) -> dict[str, Any] | None:
    """The stamp of this virtual environment, or None where there is none that can be read."""
    try:
        stamp = json.loads(place.stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def write_stamp(place: Place, **entries: Any) -> None:
    """Writes the stamp in one move: a reader sees the old one or the new one."""
    stamp = {"root": str(place.root), "python": os.path.realpath(place.python), **entries}
    draft = place.stamp.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    os.replace(str(draft), str(place.stamp))


def stands(place: Place, stamp: dict[str, Any]) -> bool:
    """Whether the virtual environment was made here, completely, by a Python that still exists."""
    return (
        stamp.get("phase") in ("made", "ready")
        and stamp.get("root") == str(place.root)
        and stamp.get("python") == os.path.realpath(place.python)
        and place.python.exists()
    )


def is_ready(place: Place, stamp: dict[str, Any] | None, wanted: Wanted) -> bool:
    """Whether nothing at all is left to do."""
    return (
        stamp is not None
        and stamp.get("phase") == "ready"
        and stands(place, stamp)
        and stamp.get("key") == wanted.key
        and wanted.extras <= set(stamp.get("extras", ()))
        and wanted.torch in ("", stamp.get("torch"))
    )


# Doing it ------------------------------------------------------------------------------------


@contextmanager
def alone(place: Place) -> Iterator[int | None]:
    """Holds the checkout's lock; yields its descriptor, or None where there are no locks."""
    try:
        import fcntl
    except ImportError:
        yield None
        return
    with open(place.root / ".venv.lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work here; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # A file system without locks.
            pass
        yield file.fileno()


def make_pip(place: Place, lock: int | None) -> Pip:
    """A function that runs the virtual environment's pip and keeps a log of what it says.

    pip inherits the lock, so that a set-up killed above it does not let another one in beside it.
    """
    import subprocess

    hidden = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment.update(PYTHONNOUSERSITE="1", PIP_USER="0", PYTHONIOENCODING="utf-8")
    environment.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(place.scratch)))
    options = ["--disable-pip-version-check", "--no-input", "--retries", "3"]
    conditions: dict[str, Any] = {
        "cwd": str(place.root),
        "env": environment,
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "pass_fds": () if lock is None else (lock,),
    }

    def pip(arguments: Sequence[str]) -> Outcome:
        command = [str(place.python), "-m", "pip", *arguments, *options]
        with open(place.log, "ab") as log, subprocess.Popen(command, **conditions) as process:
            try:
                text = follow(process.stdout or (), log)
            except BaseException:
                process.terminate()
                raise
            return Outcome(process.wait(), text)

    return pip


def follow(lines: Iterable[bytes], log: IO[bytes]) -> str:
    """Keeps every line of pip's, shows the long downloads, and returns the whole text."""
    kept: list[str] = []
    for raw in lines:
        log.write(raw)
        line = raw.decode("utf-8", "replace")
        kept.append(line)
        found = re.match(r"\s*Downloading (\S+).* \(([\d.]+) MB\)", line)
        if found and float(found.group(2)) >= TALKATIVE_MEGABYTES:
            name = found.group(1).rsplit("/", 1)[-1]
            say(f"  downloading {name} ({found.group(2)} MB)")
    return "".join(kept)


def make_venv(place: Place) -> None:
    """Makes the virtual environment, or keeps the one that stands.

    One that this program began and did not finish, or that was moved here, or whose Python is
    gone, is thrown away; one that somebody else made is used, never removed.
    """
    for leftover in place.root.glob(".venv.old-*"):
        shutil.rmtree(str(leftover), ignore_errors=True)
    stamp = read_stamp(place)
    if stamp is not None and stands(place, stamp):
        return
    foreign = stamp is None and place.venv.exists() and any(place.venv.iterdir())
    if foreign and not runs(place.python):
        raise SetupError(
            f"{place.venv} was not made by this program, and has no Python 3.11 to 3.13 with pip. "
            "Move it away and run this again."
        )
    if not foreign:
        build_venv(place)
    write_stamp(place, phase="made")


def build_venv(place: Place) -> None:
    """Makes a virtual environment from nothing."""
    import importlib.util
    import subprocess

    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                "this Python ({}) comes without its {} module; on Debian and Ubuntu: "
                "apt install python{}.{}-venv".format(sys.executable, module, *sys.version_info)
            )
    if place.venv.exists():
        say("the virtual environment is incomplete or was moved; making it anew")
        aside = place.root / f".venv.old-{os.getpid()}"
        os.replace(str(place.venv), str(aside))
        shutil.rmtree(str(aside), ignore_errors=True)
    place.venv.mkdir()
    write_stamp(place, phase="begun")
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(place.venv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if made.returncode != 0:
        text = made.stdout.decode(errors="replace")
        raise_known(text)
        # The venv module tells of a failure in installing pip, not of its reason.
        if shutil.disk_usage(str(place.root)).free < ROOM_FOR_PIP_BYTES:
            raise SetupError(disk_full())
        raise SetupError("the virtual environment could not be made: " + text.strip()[-600:])


def runs(python: Path) -> bool:
    """Whether this interpreter works, is of a supported version, and has pip."""
    import subprocess

    probe = f"import sys, pip; sys.exit(sys.version_info[:2] not in {SUPPORTED!r})"
    try:
        return subprocess.call([str(python), "-c", probe], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def drop_half_installed(packages: Path) -> list[str]:
    """Makes pip install again what an interrupted pip left half installed.

    pip writes INSTALLER after a package's files and RECORD last; a distribution without them is
    not whole, though pip would take it for installed.

    Returns:
        The names of what was dropped.
    """
    dropped: list[str] = []
    for found in sorted(packages.glob("*")):
        half = found.name.endswith(".dist-info") and not (
            (found / "INSTALLER").exists() and (found / "RECORD").exists()
        )
        if half or found.name.startswith("~"):
            shutil.rmtree(str(found), ignore_errors=True)
            dropped.append(found.name)
    return dropped


def install_torch(place: Place, override: str, pip: Pip) -> str:
    """Puts torch in before anything else can pull in a build of its own; returns its version."""
    import platform

    version = tested_torch((place.root / "constraints.txt").read_text(encoding="utf-8"))
    installed = installed_torch(place.packages)
    if installed is not None and fits(installed, version, override):
        return installed
    if installed is not None:
        pip(["uninstall", "--yes", "torch"])
    choices = choose_torch(version, platform.system(), platform.machine(), has_gpu(), override)
    for choice in choices:
        say(f"installing {choice}")
        outcome = pip(["install", choice, "-c", "constraints.txt"])
        if outcome.code == 0:
            break
        # Of a build that is not offered, pip says either that nothing matches or that the
        # constraints conflict; only what is known to be something else stops here.
        raise_known(outcome.text)
        if choice == choices[-1]:
            raise SetupError(unknown_failure(place.log, outcome.text))
        say(
            "no CPU build of torch is offered here; taking the ordinary one, some GB with its GPU "
            "libraries (PIP_EXTRA_INDEX_URL may name PyTorch's index of CPU wheels)"
        )
    return installed_torch(place.packages) or version


def install(place: Place, wanted: Wanted, pip: Pip) -> None:
    """Installs what is wanted into a virtual environment that stands, and stamps it."""
    stamp = read_stamp(place) or {}
    drop_half_installed(place.packages)
    shutil.rmtree(str(place.scratch), ignore_errors=True)
    place.scratch.mkdir()
    # A killed pip may have left anything behind: until the end, the stamp promises nothing.
    write_stamp(place, phase="made", extras=stamp.get("extras", []))
    version = install_torch(place, wanted.torch, pip)
    extras = sorted(wanted.extras | set(stamp.get("extras", ())))
    say("installing understudy" + (f" with {', '.join(extras)}" if extras else ""))
    target = f".[{','.join(extras)}]" if extras else "."
    # The exact torch again: without it the resolver may swap the build for an ordinary one.
    outcome = pip(["install", "torch==" + version, "-c", "constraints.txt", "-e", target])
    if outcome.code != 0:
        raise_known(outcome.text)
        raise SetupError(unknown_failure(place.log, outcome.text))
    shutil.rmtree(str(place.scratch), ignore_errors=True)
    write_stamp(place, phase="ready", key=wanted.key, extras=extras, torch=wanted.torch)


def set_up(place: Place, names: Sequence[str]) -> int:
    """Brings this checkout to where its programs can run; returns the exit code."""
    import time

    wanted = read_wanted(place, names, os.environ.get("UNDERSTUDY_TORCH", ""))
    if is_ready(place, read_stamp(place), wanted):
        return 0
    started = time.monotonic()
    with alone(place) as lock:
        if not is_ready(place, read_stamp(place), wanted):
            say("setting up in .venv; this happens once")
            make_venv(place)
            place.log.write_text("", encoding="utf-8")
            install(place, wanted, make_pip(place, lock))
            say(f"set up in {time.monotonic() - started:.0f} s")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Sets up with the extras named, separated by commas or spaces."""
    place = Place(Path(__file__).resolve().parent.parent)
    try:
        if sys.version_info[:2] not in SUPPORTED:
            return restart_under_better_python(arguments)
        return set_up(place, ",".join(arguments).replace(" ", "").split(","))
    except SetupError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("set-up interrupted; run the same command again and it goes on.")
        return 130
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            say(disk_full())
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            say(f"cannot write to {error.filename}: {error.strerror}.")
        else:
            raise
        return 2


def interrupt(*_: object) -> None:
    """Treats a request to end as Ctrl-C, so that pip does not go on alone."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGTERM, interrupt)
    sys.exit(main(sys.argv[1:]))
