"""The only writer of run files: each is whole or absent, whatever happens and whenever.

What is written goes to a name that begins with `.tmp-` in the same folder, is flushed to the disk,
and only then renamed to its own name. A folder of files carries a manifest with the length and
sha256 of each, so that damage is seen when it is read.

Every call to the operating system goes through `disk`, so that a test can let any one of them fail.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from understudy.errors import CheckpointError

FORMAT = 1
MANIFEST = "manifest.json"
OLD = ".old"
"""What a folder's name ends in while its successor takes its place."""

_MANIFEST_MAX_BYTES = 1 << 20
_TEMPORARY = ".tmp-"
_count = itertools.count()


class NewerError(CheckpointError):
    """Something that a later version of understudy wrote."""


class Disk:
    """What run files ask of the operating system; every method may raise OSError."""

    def create(self, path: Path) -> int:
        """A descriptor of a new, empty file; it must not exist."""
        return os.open(
            path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666
        )

    def append_to(self, path: Path) -> int:
        """A descriptor for writing at a file's end, which is made if it is absent."""
        return os.open(
            path, os.O_CREAT | os.O_APPEND | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666
        )

    def write(self, descriptor: int, data: memoryview) -> int:
        """How many of the bytes were written."""
        return os.write(descriptor, data)

    def cut(self, descriptor: int, length: int) -> None:
        """Leave only the first `length` bytes."""
        os.ftruncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        """Wait until the bytes are on the disk."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""
        os.close(descriptor)

    def sync_folder(self, path: Path) -> None:
        """Wait until a folder's names are on the disk."""
        if os.name == "nt":  # Windows cannot open a folder, and has no need to.
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, path: Path) -> None:
        """Make a folder; it must not exist."""
        path.mkdir()

    def rename(self, path: Path, to: Path) -> None:
        """Give a file or folder another name, in one step; a file there is replaced."""
        path.replace(to)

    def remove(self, path: Path) -> None:
        """Remove a file, or a folder with all that is in it."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted."""
        return sorted(os.listdir(folder))

    def length(self, path: Path) -> int:
        """How many bytes a file holds."""
        return path.stat().st_size

    def read(self, path: Path) -> bytes:
        """All that a file holds."""
        return path.read_bytes()


disk = Disk()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step: at every moment it is the old one, whole, or the new one.

    Raises:
        CheckpointError: It could not be written; the old one, if any, is untouched.
    """
    with _temporary(path) as temporary:
        _create(temporary, data)
        disk.rename(temporary, path)
        disk.sync_folder(path.parent)


def commit_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder in one step: at every moment it is whole, absent, or the old one.

    Args:
        path: The folder. One that is there is replaced.
        files: Plain file names to contents.

    Raises:
        CheckpointError: It could not be written; the old one, if any, can still be read.
    """
    for name in files:
        if not _is_plain(name):
            raise CheckpointError(f"{path}: '{name}' is no name for a file in it")
    with _temporary(path) as temporary:
        disk.make_folder(temporary)
        for name, data in files.items():
            _create(temporary / name, data)
        _create(temporary / MANIFEST, _manifest(files))
        disk.sync_folder(temporary)
        # A folder cannot be renamed onto another: the old one steps aside first, and until the
        # new one stands, `read_folder` finds it there.
        old = path.with_name(path.name + OLD)
        if path.exists():
            if old.exists():
                disk.remove(old)
            disk.rename(path, old)
        disk.rename(temporary, path)
        disk.sync_folder(path.parent)
        if old.exists():
            with suppress(OSError):  # What remains is swept later.
                disk.remove(old)


def read_folder(path: Path) -> dict[str, bytes]:
    """The files of a folder that `commit_folder` wrote, every byte verified.

    Raises:
        CheckpointError: Names the file, and what differs.
        NewerError: A later version wrote it.
    """
    old = path.with_name(path.name + OLD)
    if not path.exists() and old.exists():
        path = old
    manifest = _read_manifest(path / MANIFEST)
    return {name: _read_as_told(path / name, told) for name, told in manifest.items()}


def sweep(folder: Path) -> None:
    """Remove what interrupted writing left in a folder; only its one writer may.

    Raises:
        CheckpointError: The folder cannot be read.
    """
    with _blamed(folder, "cannot be tidied"):
        there = disk.names(folder)
        for name in there:
            new = name.removesuffix(OLD)
            if name.startswith(_TEMPORARY) or (name != new and new in there):
                disk.remove(folder / name)
            elif name != new and is_committed(folder / name):
                disk.rename(folder / name, folder / new)


def names(folder: Path) -> list[str]:
    """The names in a folder, sorted; none if it is absent.

    Raises:
        CheckpointError: It cannot be read.
    """
    with _blamed(folder, "cannot be read"):
        return disk.names(folder) if folder.is_dir() else []


def is_committed(path: Path) -> bool:
    """Whether there is a folder here that `commit_folder` once wrote."""
    return (path / MANIFEST).is_file()


def discard_folder(path: Path) -> None:
    """Remove a folder, so that it is never seen half removed.

    Raises:
        CheckpointError: It could not be removed.
    """
    with _temporary(path) as temporary:
        disk.rename(path, temporary)
        disk.remove(temporary)


def make_folders(path: Path) -> None:
    """Make a folder and those above it that are missing, lastingly.

    Raises:
        CheckpointError: One could not be made.
    """
    missing = list(itertools.takewhile(lambda p: not p.is_dir(), [path, *path.parents]))
    with _blamed(path, "cannot be made"):
        for folder in reversed(missing):
            with suppress(FileExistsError):  # Another process may be as quick.
                disk.make_folder(folder)
            disk.sync_folder(folder.parent)


class Lines:
    """A file of lines that only grows; a line is there whole or not at all.

    A line survives the death of the process once `append` has returned, and that of the machine
    once `sync` has.

    Raises:
        CheckpointError: It cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, make it if it is absent, and cut off a last line that is torn."""
        self.path = path
        with _blamed(path):
            held = disk.read(path) if path.exists() else b""
            self._descriptor = disk.append_to(path)
            self._length = held.rfind(b"\n") + 1
            if self._length < len(held):
                disk.cut(self._descriptor, self._length)

    def append(self, line: str) -> None:
        """Write one line, without its end; after an error the file is as it was before."""
        data = line.encode() + b"\n"
        with _blamed(self.path):
            try:
                _write(self._descriptor, data)
            except OSError:
                with suppress(OSError):
                    disk.cut(self._descriptor, self._length)
                raise
        self._length += len(data)

    def cut(self, length: int) -> None:
        """Leave only the first `length` bytes, the end of a line."""
        with _blamed(self.path):
            disk.cut(self._descriptor, length)
        self._length = length

    def sync(self) -> None:
        """Wait until all lines are on the disk."""
        with _blamed(self.path):
            disk.sync(self._descriptor)

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with _blamed(self.path):
                disk.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(descriptor, rest) :]


def _create(path: Path, data: bytes) -> None:
    descriptor = disk.create(path)
    try:
        _write(descriptor, data)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name to write under, in the same folder; what is left there after an error is removed."""
    temporary = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}-{next(_count)}")
    with _blamed(path):
        try:
            yield temporary
        except OSError:
            with suppress(OSError):
                disk.remove(temporary)
            raise


@contextmanager
def _blamed(path: Path, what: str = "cannot be written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{path}: {what}: {error.strerror or error}") from error


def _is_plain(name: str) -> bool:
    return bool(name) and name != MANIFEST and name[0] != "." and not set(name) & set("/\\:\0")


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _manifest(files: Mapping[str, bytes]) -> bytes:
    told = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    }
    body: dict[str, Any] = {"format": FORMAT, "files": told}
    return _canonical(body | {"sha256": hashlib.sha256(_canonical(body)).hexdigest()})


def _read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """File name to length and sha256, once it is certain that nobody changed a byte of it."""
    if not path.is_file():
        raise CheckpointError(f"{path.parent}: not a complete folder: it has no {MANIFEST}")
    with _blamed(path, "cannot be read"):
        if disk.length(path) > _MANIFEST_MAX_BYTES:
            raise CheckpointError(f"{path}: damaged: longer than any manifest")
        data = disk.read(path)
    try:
        body = json.loads(data)
        same = _canonical(body) == data
        own = body.pop("sha256")
        version = body["format"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(f"{path}: damaged: it is not a manifest") from None
    if not same or own != hashlib.sha256(_canonical(body)).hexdigest():
        raise CheckpointError(f"{path}: damaged: its own sha256 differs")
    if version != FORMAT:
        raise NewerError(
            f"{path.parent}: format {version}, but this understudy reads format {FORMAT}; "
            "use a later version"
        )
    if bad := [name for name in body["files"] if not _is_plain(name)]:
        raise CheckpointError(f"{path}: '{bad[0]}' is no name for a file in it")
    return body["files"]


def _read_as_told(path: Path, told: Mapping[str, Any]) -> bytes:
    with _blamed(path, "cannot be read"):
        if path.is_symlink():
            raise CheckpointError(f"{path}: a link, where a file was written")
        # The length comes first: what grew beyond it is never read into memory.
        if (length := disk.length(path)) != told["bytes"]:
            raise CheckpointError(f"{path}: damaged: {length} bytes, expected {told['bytes']}")
        data = disk.read(path)
    if hashlib.sha256(data).hexdigest() != told["sha256"]:
        raise CheckpointError(f"{path}: damaged: its sha256 differs from the manifest's")
    return data
