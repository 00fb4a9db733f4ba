"""The tensors that `torch.save` wrote into a zip, such as a module's `state_dict`, by name.

Since version 1.6 that is an archive with a pickle `NAME/data.pkl`, which describes every tensor as
a view of a storage, and a file `NAME/data/KEY` with the bytes of each storage. The pickle is
interpreted by `machine`, which imports and calls nothing that it names.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.pickled.arrays import STORAGES, Array, finish, makers
from understudy.data.formats.pickled.machine import Machine, Maker, Name
from understudy.data.formats.wire import WireError

BROKEN = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    struct.error,
    zlib.error,
)
"""What Python's reader of zips raises at a damaged one."""
SHARED = 8
"""So many times a file's length all tensors may take together: layers may share their weights."""
_EXPECTED = "the tensors of a network, by name"


def read_state_dict(data: bytes) -> dict[str, NDArray[Any]]:
    """Arrays by name; they are copies, of the dtype in the file.

    Args:
        data: The whole zip.

    Raises:
        WireError: It is damaged, hostile or holds something else.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return _read(archive, len(data))
    except WireError:
        raise
    except BROKEN as error:
        found = f"no zip of torch ({' '.join(str(error).split())[:80]})"
        raise WireError(0, found, _EXPECTED) from None


def _read(archive: zipfile.ZipFile, size: int) -> dict[str, NDArray[Any]]:
    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(names) != 1:
        raise WireError(0, f"a zip with {len(names)} pickles", "one of torch, with one")
    root = names[0].removesuffix("data.pkl")
    storages = _Storages(archive, root, size)
    if f"{root}byteorder" in archive.namelist() and storages.take("byteorder") != b"little":
        raise WireError(0, "tensors of a machine that counts from the other end", "little endian")
    types: dict[Name, Maker] = {Name("torch", kind): _no_function for kind in STORAGES}
    value = Machine(storages.take("data.pkl"), makers() | types, finish, storages).run()
    if not isinstance(value, dict):
        raise WireError(0, f"a {type(value).__name__}", _EXPECTED)
    left, out = SHARED * size, dict[str, NDArray[Any]]()
    for name, tensor in value.items():
        values = tensor.values if isinstance(tensor, Array) else None
        if values is None:
            raise WireError(0, f"a {type(tensor).__name__} called {name[:80]}", "tensors alone")
        # Strides may make gigabytes of a few bytes, and so may many views of one storage.
        if values.nbytes > min(size, left):
            raise WireError(0, f"{name[:80]}, which repeats its numbers", "every number on its own")
        left -= values.nbytes
        out[name] = np.array(values)
    return out


def _no_function(*_: Any) -> Any:
    raise ValueError("a class that is called as if it were a function")


class _Storages:
    """Takes files out of the archive, all together no more than the archive is long."""

    def __init__(self, archive: zipfile.ZipFile, root: str, size: int) -> None:
        self._archive, self._root, self._left = archive, root, size
        self._known: dict[str, NDArray[Any]] = {}

    def take(self, name: str) -> bytes:
        info = self._archive.getinfo(self._root + name)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > self._left:
            raise ValueError(f"{name[:40]}, which is longer inside than outside")
        self._left -= info.file_size
        return self._archive.read(info)

    def __call__(self, said: Any) -> NDArray[Any]:
        """The storage that a persistent id describes."""
        if not isinstance(said, tuple) or len(said) != 5 or said[0] != "storage":
            raise ValueError("a storage that does not say what it is")
        _, kind, key, _, count = said
        if not isinstance(kind, Name) or not isinstance(key, str) or type(count) is not int:
            raise ValueError("a storage that does not say what it is")
        dtype = np.dtype(STORAGES[kind.name])
        if key not in self._known:
            self._known[key] = np.frombuffer(self.take(f"data/{key}"), dtype)
        storage = self._known[key]
        if len(storage) != count or storage.dtype != dtype:
            raise ValueError(f"a storage of {len(storage)} numbers that should have {count}")
        return storage
