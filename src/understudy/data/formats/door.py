"""The door through which demonstrations come in, whatever they are.

What a file is follows from its content, never from its name. A new format is one more line in
`FORMATS`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from understudy.data.demos import Demos, join
from understudy.data.formats import (
    csv_steps,
    csv_table,
    d3rlpy,
    d4rl,
    di_engine,
    expert_npz,
    imitation_arrow,
    imitation_npz,
    lerobot,
    minari,
    minari_arrow,
    mlagents,
    parquet_steps,
    robomimic,
    tianshou,
)
from understudy.data.formats.columns import Columns
from understudy.data.formats.hdf5 import MAGIC as HDF5_MAGIC
from understudy.data.formats.hdf5 import Hdf5
from understudy.data.formats.mlagents.reader import ALIGNMENTS, Alignment
from understudy.data.formats.npz import NPY_MAGIC, ZIP_MAGIC, Npz
from understudy.data.formats.refusal import plain, refusal
from understudy.data.spec import Spec
from understudy.errors import DemoError

HEAD_BYTES = 4096
KNOWN = (
    "an understudy recording, an ML-Agents .demo, a Stable-Baselines expert .npz, an old imitation "
    ".npz, DI-engine's expert_data.pkl, HDF5 of Minari, D4RL, robomimic, Tianshou, d3rlpy or "
    "DI-engine, CSV, Parquet, or a folder of imitation, Minari or LeRobot"
)
_ARRAYS = (
    "save it where it was made as an .npz with the arrays obs, actions, rewards and episode_starts"
)


class Look(NamedTuple):
    """What is seen of a file before it is read.

    Attributes:
        head: Its first bytes.
        names: The members of a zip file, without `.npy`, or of an HDF5 file; empty for others.
    """

    head: bytes
    names: tuple[str, ...]


class Format(NamedTuple):
    """A kind of demonstration file.

    Attributes:
        name: For people.
        recognizes: Whether a file is of this kind.
        read: Reads a file: its path, how to align actions where the format leaves a choice, and
            the spec it should fit or None.
    """

    name: str
    recognizes: Callable[[Look], bool]
    read: Callable[[Path, Alignment, Spec | None], Demos]


def load_demos(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    alignment: Alignment = "auto",
    spec: Spec | None = None,
    columns: Columns | None = None,
) -> Demos:
    """Demonstrations from a file, several files, or the files in a folder.

    Args:
        source: A file; a folder, whose demonstration files are taken in the order of their names
            and whose other files are passed over; or a sequence of these.
        alignment: Which record of an ML-Agents file holds the action taken at a record:
            `next_record`, `same_record`, or `auto` to find out.
        spec: What is seen and done, where it is known, as from an environment: files that do not
            say it themselves are read accordingly, all others must fit it.
        columns: What is in which columns of CSV and Parquet files, where their names do not tell,
            such as `{"obs": ["x", "v"], "action": "force", "episode": "run"}`; also `reward`,
            `terminated`, `truncated`, `done` and `seed`.

    Raises:
        DemoError: There is nothing to read, or something cannot be read, is not supported, or does
            not fit. The message is one line and names the file.

    Example:
        >>> load_demos("nowhere.demo")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        understudy.errors.DemoError: nowhere.demo: there is no such file or folder; expected ...
    """
    if alignment not in ALIGNMENTS:
        raise DemoError(f"alignment={alignment!r}: expected one of {', '.join(ALIGNMENTS)}")
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not sources:
        raise DemoError("no demonstrations were given")
    found: list[tuple[Path, Format]] = []
    for path in map(Path, sources):
        if path.is_dir():
            found += _in_folder(path)
        else:
            # Where somebody says what is in which columns, names need not tell.
            found.append((path, _CSV if columns and _is_lines(path) else _format_of(path)))
    if columns is not None:
        found = [(path, _table_of(path, kind, columns)) for path, kind in found]
    return join([_read(path, kind, alignment, spec) for path, kind in found])


def _read(path: Path, kind: Format, alignment: Alignment, spec: Spec | None) -> Demos:
    try:
        demos = kind.read(path, alignment, spec)
    except OSError as error:
        raise _unreadable(path, error) from None
    except MemoryError:
        raise refusal(path, None, "more than fits into memory", "a smaller file") from None
    if spec is not None and (difference := spec.difference(demos.spec)):
        raise refusal(
            path,
            None,
            f"does not fit what it is read for (an environment, say): {difference} "
            "(here: what is asked for, there: the file)",
            "demonstrations of the same task",
        )
    return demos


def _in_folder(folder: Path) -> list[tuple[Path, Format]]:
    if main := next((folder / m for m in _WHOLE_FOLDERS if (folder / m).is_file()), None):
        return [(main, _format_of(main))]
    for marks, kind in _FOLDERS:
        if all((folder / mark).exists() for mark in marks):
            return [(folder / Path(marks[0]).parent, kind)]
    files = _files(folder)
    found = _among(files)
    if not found:
        names = ", ".join(path.name for path in files[:8]) + (", ..." if len(files) > 8 else "")
        raise refusal(
            folder, None, f"a folder without demonstrations (it holds {names or 'no file'})", KNOWN
        )
    return found


def _table_of(path: Path, kind: Format, columns: Columns) -> Format:
    """The format with what is in which columns.

    Raises:
        DemoError: It has none.
    """
    layout = _TABLES.get(kind.name)
    if layout is None:
        raise refusal(path, None, f"a file of {kind.name}", "CSV or Parquet, for columns=")
    return kind._replace(
        read=lambda path, alignment, spec: layout.read(path, spec=spec, columns=columns)
    )


def _is_lines(path: Path) -> bool:
    return len(csv_table.header_of(_look(path).head)) > 1


def _among(files: Sequence[Path]) -> list[tuple[Path, Format]]:
    found: list[tuple[Path, Format]] = []
    for path in files:
        kind = _recognize(_look(path)) if path.stat().st_size else None
        if kind is not None:
            found.append((path, kind))
        elif path.suffix == ".demo":
            # A name makes nothing a demonstration, but one that claims to be is not passed over.
            _format_of(path)
    return found


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise _unreadable(folder, error) from None


def _format_of(path: Path) -> Format:
    """The format of a file.

    Raises:
        DemoError: It cannot be read, or is something else; says what.
    """
    look = _look(path)
    if not look.head:
        raise refusal(path, 0, "an empty file", KNOWN)
    if kind := _recognize(look):
        return kind
    for recognizes, what, advice in _FOREIGN:
        if recognizes(look):
            raise refusal(path, 0, what, f"{KNOWN}; {advice}")
    raise refusal(path, 0, f"the bytes {look.head[:8].hex(' ')}, which begin no known file", KNOWN)


def _recognize(look: Look) -> Format | None:
    return next((kind for kind in FORMATS if kind.recognizes(look)), None)


def _look(path: Path) -> Look:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device would be waited for
            raise refusal(path, None, "neither a file nor a folder", KNOWN)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if head.startswith(HDF5_MAGIC):
            with Hdf5(path) as file:
                return Look(head, file.names())
        if not head.startswith(ZIP_MAGIC):
            return Look(head, ())
        with Npz(path) as zipped:
            return Look(head, zipped.names)
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError:
        raise refusal(path, None, "a name with a zero byte", "a path") from None


def _unreadable(path: Path, error: OSError) -> DemoError:
    if isinstance(error, FileNotFoundError):
        return refusal(path, None, "there is no such file or folder", KNOWN)
    reason = plain(error.strerror or type(error).__name__).lower()
    return refusal(path, None, f"it cannot be read ({reason})", "a readable file")


def _recognizes_native(look: Look) -> bool:
    from understudy.data.formats import native

    return native.recognizes(look.head)


def _read_native(path: Path, alignment: Alignment, spec: Spec | None) -> Demos:
    from understudy.data.formats import native

    return native.read_demos(path)


def _read_mlagents(path: Path, alignment: Alignment, spec: Spec | None) -> Demos:
    return mlagents.read(path, alignment=alignment)


def _read_expert(path: Path, alignment: Alignment, spec: Spec | None) -> Demos:
    return expert_npz.read(path, spec=spec)


def _read_imitation(path: Path, alignment: Alignment, spec: Spec | None) -> Demos:
    return imitation_npz.read(path, spec=spec)


def _read_pickled(path: Path, alignment: Alignment, spec: Spec | None) -> Demos:
    from understudy.data.formats.pickled import reader

    return reader.read(path, spec=spec)


def _recognizes_pickled(look: Look) -> bool:
    from understudy.data.formats.pickled import reader

    return reader.recognizes(look.head)


def _hdf5(name: str, layout: Any) -> Format:
    """A layout of HDF5 files: a module that recognizes the names at their top, and reads them."""

    def recognizes(look: Look) -> bool:
        return look.head.startswith(HDF5_MAGIC) and layout.recognizes(look.names)

    def read(path: Path, alignment: Alignment, spec: Spec | None) -> Demos:
        return layout.read(path, spec=spec)

    return Format(name, recognizes, read)


def _file(name: str, layout: Any) -> Format:
    """A layout that is known by its first bytes: a module that recognizes them, and reads it."""

    def read(path: Path, alignment: Alignment, spec: Spec | None) -> Demos:
        return layout.read(path, spec=spec)

    return Format(name, lambda look: layout.recognizes(look.head), read)


_TABLES = {"csv": csv_steps, "parquet": parquet_steps}
_CSV = _file("csv", csv_steps)
FORMATS = (
    Format("understudy", _recognizes_native, _read_native),
    _hdf5("minari", minari),
    _hdf5("robomimic", robomimic),
    _hdf5("tianshou", tianshou),
    _hdf5("d3rlpy", d3rlpy),
    _hdf5("d4rl", d4rl),
    _hdf5("di-engine", di_engine),
    Format("di-engine pickle", _recognizes_pickled, _read_pickled),
    Format("stable-baselines expert", lambda look: expert_npz.recognizes(look.names), _read_expert),
    Format("imitation", lambda look: imitation_npz.recognizes(look.names), _read_imitation),
    _file("parquet", parquet_steps),
    _CSV,
    # Last, because it has no magic number.
    Format("mlagents", lambda look: mlagents.recognizes(look.head), _read_mlagents),
)


def _folder(name: str, layout: Any) -> Format:
    """A layout of whole folders, which are known by the files in them."""

    def read(path: Path, alignment: Alignment, spec: Spec | None) -> Demos:
        return layout.read(path, spec=spec)

    return Format(name, lambda look: False, read)


# Which files a folder must have to be of a kind; what is read is where the first of them lies.
_FOLDERS: tuple[tuple[tuple[str, ...], Format], ...] = (
    (("dataset_info.json", "state.json"), _folder("imitation", imitation_arrow)),
    (("data/metadata.json",), _folder("minari", minari_arrow)),
    (("meta", lerobot.INFO_FILE), _folder("lerobot", lerobot)),
    (("metadata.json", "0/metadata.json"), _folder("minari", minari_arrow)),
)


def _starts(*magics: bytes) -> Callable[[Look], bool]:
    return lambda look: look.head.startswith(magics)


def _holds(*names: str) -> Callable[[Look], bool]:
    return lambda look: any(name.endswith(names) for name in look.names)


_PICKLE = re.compile(
    rb"\x80[\x02-\x05](\x95|[\]}(NcX\x8c\x8a])|\(([ld]p|c)|[\]}]q|c[\w.]+\n[\w.]+\n"
)
_FOREIGN: tuple[tuple[Callable[[Look], bool], str, str], ...] = (
    (
        lambda look: _PICKLE.match(look.head) is not None,
        "a Python pickle, which could run any code and is never opened",
        _ARRAYS,
    ),
    (
        _holds("data.pkl", ".pth"),
        "a PyTorch or Stable-Baselines3 model or data file, which holds pickles",
        _ARRAYS,
    ),
    (
        _starts(HDF5_MAGIC),
        "an HDF5 file without the arrays of a demonstration",
        "one of Minari, D4RL, robomimic, Tianshou, d3rlpy or DI-engine",
    ),
    (
        _starts(b"ARROW1", b"FEA1", b"\xff\xff\xff\xff"),
        "an Arrow file that stands alone",
        "give the folder of Hugging Face or Minari that it is in, or save it as Parquet",
    ),
    (
        _starts(NPY_MAGIC),
        "a single numpy array",
        "put obs, actions, rewards and episode_starts into one .npz",
    ),
    (
        _starts(b"version https://git-lfs"),
        "a Git LFS pointer instead of the file",
        "fetch it with: git lfs pull",
    ),
    (
        lambda look: len(csv_table.header_of(look.head)) > 1,
        "lines whose names do not tell observations and actions",
        "if it is CSV, say what is in which columns with columns=",
    ),
    (_starts(b"SQLite format 3\0"), "a database of something else", "record it again"),
    (
        lambda look: bool(look.names),
        "a zip file without the arrays of a demonstration",
        "unpack it if demonstrations are in it",
    ),
    (
        _starts(b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!"),
        "a compressed file",
        "unpack it first",
    ),
    (
        lambda look: look.head[257:262] == b"ustar",
        "a tar archive",
        "unpack it first",
    ),
)
# Where the file lies that stands for a whole folder.
_WHOLE_FOLDERS = (f"data/{minari.MAIN_FILE}", minari.MAIN_FILE)
