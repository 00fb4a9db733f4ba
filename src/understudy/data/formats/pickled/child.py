"""A process of its own that reads a stranger's pickle, with limits on memory and time.

The pickle comes over standard input. Standard output becomes a file of its own: a line of JSON,
which says what follows or why nothing does, and then the bytes of every column in order.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from understudy.data.formats.pickled.arrays import finish, makers
from understudy.data.formats.pickled.machine import EXPECTED, Machine
from understudy.data.formats.pickled.transitions import columns_of
from understudy.data.formats.wire import WireError

MEMORY, MEMORY_RATIO = 256 << 20, 16
SECONDS, BYTES_A_SECOND = 5.0, 1 << 20
# Arrays lie in the file as they are; only what a step shares with the next one lies there once.
ROOM, ROOM_RATIO = 1 << 20, 4
LONGEST_LINE = 1 << 20
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from understudy.data.formats.pickled.child import main; main()"
)


def room_for(size: int) -> int:
    """How many bytes the columns of a file of `size` bytes may take."""
    return ROOM + ROOM_RATIO * size


def ask(file: IO[bytes], size: int) -> tuple[IO[bytes], dict[str, Any]]:
    """What a child process finds in a file.

    Args:
        file: The open file, at its beginning.
        size: Its bytes, which the limits follow.

    Returns:
        An open file of its columns, at the first of them, and what its first line says.

    Raises:
        WireError: The child refuses the file, or had to be stopped.
    """
    seconds = SECONDS + size / BYTES_A_SECOND
    # Isolated: neither the user's own packages nor the environment have a say in it.
    command = [sys.executable, "-I", "-c", _START, json.dumps(sys.path)]
    out = tempfile.TemporaryFile()  # noqa: SIM115 (it is handed on open)
    try:
        done = subprocess.run(
            command,
            stdin=file,
            stdout=out,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        return out, _heard(out, done.returncode)
    except subprocess.TimeoutExpired:
        out.close()
        found = f"a pickle that takes more than {seconds:.0f} seconds to read"
        raise WireError(0, found, EXPECTED) from None
    except BaseException:
        out.close()
        raise


def _heard(out: IO[bytes], code: int) -> dict[str, Any]:
    out.seek(0)
    line = out.readline(LONGEST_LINE)
    if code or not line.endswith(b"\n"):
        found = f"a pickle at which its reader was stopped (exit code {code})"
        raise WireError(0, found, EXPECTED)
    said: dict[str, Any] = json.loads(line)
    if "refused" in said:
        raise WireError(*said["refused"])
    return said


def main() -> None:
    """The child: reads the pickle and says what is in it."""
    out, given = sys.stdout.buffer, sys.stdin.buffer
    try:
        size = os.fstat(given.fileno()).st_size
        _limit(size)
        _tell(given.read(), out)
    except WireError as error:
        refused = [error.offset, error.found, error.expected]
    except MemoryError:
        refused = [0, "a pickle that takes far more memory than its size", EXPECTED]
    else:
        return
    out.write(json.dumps({"refused": refused}).encode() + b"\n")


def _tell(data: bytes, out: IO[bytes]) -> None:
    machine, size = Machine(data, makers(), finish), len(data)
    columns = columns_of(machine.run(), size)
    if machine.at != size:
        raise WireError(machine.at, "something after the pickle", "its end")
    needed, room = columns.num_bytes(), room_for(size)
    if needed > room:
        found = f"steps that take {needed} bytes"
        raise WireError(0, found, f"at most {room} from a file of this size")
    arrays = [
        ["/".join(path), array.dtype.newbyteorder("<").str, [len(columns.rows), *array.shape]]
        for path, array in columns.like.items()
    ]
    said = {"arrays": arrays, "lengths": columns.lengths, "ignored": columns.ignored}
    first = json.dumps(said).encode() + b"\n"
    if len(first) > LONGEST_LINE:
        raise WireError(0, "too many episodes or entries to list", "fewer")
    # Written beside and shown whole: a step in the middle may still be refused.
    with tempfile.TemporaryFile() as beside:
        for path in columns.like:
            for block in columns.blocks(path):
                beside.write(block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes())
        beside.seek(0)
        out.write(first)
        while part := beside.read(1 << 20):
            out.write(part)


def _limit(size: int) -> None:
    """Allows this process memory and time for a file of `size` bytes."""
    try:
        import resource
    except ImportError:  # not on Windows, where the clock alone limits it
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if _linux() else 1 << 18
    memory = pages * resource.getpagesize() + MEMORY + MEMORY_RATIO * size
    seconds = int(SECONDS + size / BYTES_A_SECOND) + 1
    for kind, most in (("RLIMIT_AS", memory), ("RLIMIT_CPU", seconds)):
        _, hard = resource.getrlimit(getattr(resource, kind))
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # macOS refuses to limit memory below what the system has mapped already.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, kind), (most, hard))


def _linux() -> bool:
    return sys.platform.startswith("linux")
