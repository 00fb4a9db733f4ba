"""Damaged files, and a child process that a reader must survive them in.

    for outcome in survive(read_expert_npz, mutants(data, 2000, random.Random(0)), suffix=".npz"):
        assert outcome.kind in ("read", "refused"), outcome

`survive` runs the reader in a fresh process with a limit on memory and on time, so that a crash, a
hang or a bomb is an outcome like any other. The reader must be a function at the top of a module;
the child finds it by its file and name.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import json
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 1 << 30
LARGE = (0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1)


@dataclass(frozen=True)
class Outcome:
    """What a reader did with one file.

    Attributes:
        index: Which of the files.
        kind: `read`, `refused` (a DemoError), `raised` (any other exception), `crashed`, `hung`.
        text: The reader's summary, the message, the traceback or the signal.
        seconds: Processor time that it took.
        peak: Bytes of memory that the child had used at most, above what it began with.
        size: Bytes of the file.
    """

    index: int
    kind: str
    text: str
    seconds: float
    peak: int
    size: int


def mutants(data: bytes, count: int, rng: random.Random) -> Iterator[bytes]:
    """`count` files that differ from `data`, each damaged in one to three places."""
    made = 0
    while made < count:
        mutant = data
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            mutant = rng.choice(MUTATIONS)(mutant, rng)
        if mutant != data:
            made += 1
            yield mutant


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """One to four bits the other way."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def set_bytes(data: bytes, rng: random.Random) -> bytes:
    """A few bytes in a row replaced, by extremes or at random."""
    at, size = _span(data, rng, 8)
    fill = rng.choice((b"\0" * size, b"\xff" * size, b"\x7f" * size, rng.randbytes(size)))
    return data[:at] + fill + data[at + size :]


def truncate(data: bytes, rng: random.Random) -> bytes:
    """The end is missing: anywhere, the last few bytes, or all but the first few."""
    if not data:
        return data
    few = min(len(data), 64)
    keep = (rng.randrange(len(data)), len(data) - rng.randint(1, few), rng.randrange(few))
    return data[: rng.choice(keep)]


def remove(data: bytes, rng: random.Random) -> bytes:
    """A piece out of the middle is missing."""
    at, size = _span(data, rng, 1024)
    return data[:at] + data[at + size :]


def duplicate(data: bytes, rng: random.Random) -> bytes:
    """A piece stands there twice."""
    at, size = _span(data, rng, 1024)
    return data[: at + size] + data[at : at + size] + data[at + size :]


def splice(data: bytes, rng: random.Random) -> bytes:
    """A piece is overwritten by another piece of the same length."""
    at, size = _span(data, rng, 1024)
    other = rng.randrange(max(1, len(data) - size + 1))
    return data[:at] + data[other : other + size] + data[at + size :]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Two pieces of the same length change places; often on the borders of 512-byte blocks."""
    block = rng.choice((16, 512, 1024, 4096))
    if len(data) < 2 * block:
        return flip_bits(data, rng)
    a, b = sorted(rng.sample(range(len(data) // block), 2))
    a, b = a * block, b * block
    first, second = data[a : a + block], data[b : b + block]
    return data[:a] + second + data[a + block : b] + first + data[b + block :]


def grow_length(data: bytes, rng: random.Random) -> bytes:
    """What may be a length or a count says something large, or one more or one less."""
    form = rng.choice(("<B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(form)
    if len(data) < size:
        return data
    at = rng.randrange(len(data) - size + 1)
    (now,) = struct.unpack_from(form, data, at)
    value = rng.choice((*LARGE, now + 1, now - 1, now * 2, now + 256)) % (1 << (8 * size))
    return data[:at] + struct.pack(form, value) + data[at + size :]


def grow_varint(data: bytes, rng: random.Random) -> bytes:
    """What may be a protobuf varint becomes a large one."""
    value, out = rng.choice(LARGE), bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes(out) + data[at + rng.choice((1, len(out))) :]


def grow_text(data: bytes, rng: random.Random) -> bytes:
    """A number written in digits (npy headers, JSON) becomes another or a large one."""
    digits = [i for i, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    if not digits:
        return flip_bits(data, rng)
    at = rng.choice(digits)
    return data[:at] + rng.choice((b"0", b"9", b"-1", b"1e9", b"9" * 12)) + data[at + 1 :]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip_bits,
    flip_bits,
    set_bytes,
    truncate,
    remove,
    duplicate,
    splice,
    swap,
    grow_length,
    grow_length,
    grow_varint,
    grow_text,
)


def _span(data: bytes, rng: random.Random, longest: int) -> tuple[int, int]:
    """Where a piece begins and how long it is; short ones are likelier."""
    at = rng.randrange(len(data)) if data else 0
    return at, min(rng.randint(1, rng.randint(1, longest)), len(data) - at)


def content(demos: Any) -> str:
    """A digest of everything that demonstrations say, but not of what they are called or noted."""
    total = hashlib.sha256(json.dumps(demos.spec.to_json(), sort_keys=True).encode())
    for episode in demos:
        said = [str(episode.end), episode.agent, episode.group, episode.team, episode.seed]
        said += [episode.final_obs_known, dict(episode.info)]
        total.update(json.dumps(said, sort_keys=True, default=str).encode())
        arrays = {f"obs {name}": array for name, array in sorted(episode.obs.items())}
        arrays |= {"reward": episode.reward, "acted_by": episode.acted_by}
        for name, action in (("action", episode.action), ("proposed", episode.proposed)):
            for part in ("continuous", "discrete"):
                arrays[f"{name} {part}"] = getattr(action, part, None)
        for name, array in arrays.items():
            if array is not None:
                total.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return total.hexdigest()


def survive(
    read: Callable[[Path], object],
    files: Iterable[bytes],
    *,
    suffix: str = "",
    seconds: float = 5.0,
    memory: int = GIB,
) -> list[Outcome]:
    """What `read(path)` did with each of the files, in a child process with limits.

    Args:
        read: A function at the top of a module: takes a path, returns a summary (anything with a
            short `str`, such as a digest of what was read) or raises DemoError.
        files: The contents, one after the other.
        suffix: Of the files' names.
        seconds: Wall-clock limit for each; beyond it the outcome is `hung`.
        memory: Bytes of address space that the child may have more than at its start.
    """
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"mutant{suffix}"
        child = None
        for index, data in enumerate(files):
            path.write_bytes(data)
            child = child or _start(read, path, seconds, memory)
            answer: dict[str, Any] | None = _ask(child)
            if answer is None:
                answer, child = {**_last_words(child), "seconds": seconds}, None
            outcomes.append(Outcome(index=index, size=len(data), **answer))
        if child is not None:
            child.communicate()
    return outcomes


def _start(
    read: Callable[[Path], object], path: Path, seconds: float, memory: int
) -> subprocess.Popen[str]:
    source = inspect.getsourcefile(read)
    assert source, f"{read} has no source file"
    assert "." not in read.__qualname__, f"{read} is not at the top of a module"
    task = [source, read.__module__, read.__qualname__, str(path), seconds, memory]
    child = subprocess.Popen(
        [sys.executable, __file__, json.dumps([*task, sys.path])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    assert child.stdout.readline() == "ready\n", child.stderr.read()
    return child


def _ask(child: subprocess.Popen[str]) -> dict[str, Any] | None:
    """The child's answer for the file that lies there now; None if it died of it."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write("next\n")
        child.stdin.flush()
    line = child.stdout.readline()
    return json.loads(line) if line.endswith("\n") else None


def _last_words(child: subprocess.Popen[str]) -> dict[str, Any]:
    """How a child died."""
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()  # type: ignore[union-attr]
    child.stdin = None
    _, errors = child.communicate()
    code = child.returncode
    hung = -code == getattr(signal, "SIGALRM", None)
    return {"kind": "hung" if hung else "crashed", "text": f"exit {code}\n{errors}", "peak": 0}


def _serve(task: str) -> None:
    """The child: reads the file again for every line that comes in."""
    source, module, name, path, seconds, memory, places = json.loads(task)
    sys.path[:] = places
    read = getattr(_module(source, module), name)
    refusal = importlib.import_module("understudy.errors").DemoError
    answer_to, sys.stdout = sys.stdout, sys.stderr
    begun = _limit(memory)
    print("ready", file=answer_to, flush=True)
    for _ in sys.stdin:
        _alarm(seconds)
        start = time.process_time()
        try:
            kind, text = "read", str(read(Path(path)))
        except refusal as error:
            kind, text = "refused", str(error)
        except BaseException:
            kind, text = "raised", traceback.format_exc()
        _alarm(0)
        taken, peak = time.process_time() - start, max(0, _peak() - begun)
        said = {"kind": kind, "text": text, "peak": peak, "seconds": taken}
        print(json.dumps(said), file=answer_to, flush=True)


def _module(source: str, name: str) -> Any:
    """The reader's module, by its name if it can be imported so, else from its file."""
    with contextlib.suppress(ImportError):
        module = importlib.import_module(name)
        if Path(module.__file__ or "").resolve() == Path(source).resolve():
            return module
    found = importlib.util.spec_from_file_location("mutants_reader", source)
    assert found is not None, source
    assert found.loader is not None, source
    module = importlib.util.module_from_spec(found)
    # Dataclasses look their own module up by name.
    sys.modules["mutants_reader"] = module
    found.loader.exec_module(module)
    return module


def _limit(memory: int) -> int:
    """Allows this process `memory` bytes more than it has; returns its peak so far."""
    with contextlib.suppress(ImportError, OSError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        allowed = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    return _peak()


def _peak() -> int:
    """Bytes of resident memory that this process has had at most; 0 where nobody says.

    `ru_maxrss` would begin with what the parent had when it started this process.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _alarm(seconds: float) -> None:
    """Ends this process after `seconds`, even inside of C; 0 calls it off."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    _serve(sys.argv[1])
