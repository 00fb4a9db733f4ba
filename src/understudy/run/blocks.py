"""Arrays that are too large to be written whole for every checkpoint, in pieces that are not.

A piece is a file that is named after the SHA-256 of what it holds. So it is written once, never
changed, and any number of checkpoints can refer to it; what none refers to is removed. A checkpoint
holds names alone, and its own manifest vouches for these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import CheckpointError
from understudy.run import files
from understudy.run.state import REST

Arrays = Mapping[str, NDArray[Any]]
_SUFFIX = ".safetensors"


class Blocks:
    """A folder of such pieces."""

    def __init__(self, folder: Path, checkpoints: Path) -> None:
        """Args: folder: of the pieces. checkpoints: the folder of those that refer to them."""
        self.folder, self.checkpoints = folder, checkpoints

    def put(self, arrays: Arrays) -> str:
        """Write these arrays, unless they are there already.

        Returns:
            Their name.

        Raises:
            CheckpointError: A number is not finite, or they cannot be written.
        """
        from safetensors.numpy import save

        for name, x in arrays.items():
            if x.dtype.kind == "f" and not np.isfinite(x).all():
                raise CheckpointError(
                    f"{self.folder}: '{name}' of the replay holds numbers that are not finite; "
                    "nothing was saved"
                )
        data = save({name: np.ascontiguousarray(x) for name, x in arrays.items()})
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if not path.is_file():
            files.make_folders(self.folder)
            files.write_whole(path, data)
        return digest

    def get(self, digest: str) -> dict[str, NDArray[Any]]:
        """The arrays of this name.

        Raises:
            CheckpointError: They are not there, or damaged.
        """
        from safetensors.numpy import load

        path = self._path(digest)
        try:
            data = files.disk.read(path)
        except OSError as error:
            raise CheckpointError(
                f"{path}: rows of the replay that the checkpoint refers to cannot be read: {error}"
            ) from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise CheckpointError(f"{path}: damaged: it does not hold what its name says")
        return load(data)

    def sweep(self, wanted: Collection[str]) -> None:
        """Remove pieces that are neither wanted nor referred to by a checkpoint that is there.

        What was left half written by a process that was killed goes too.

        Raises:
            CheckpointError: A folder cannot be read, or a file not removed.
        """
        if self.folder.is_dir():
            files.sweep(self.folder)
        names = files.names(self.folder)
        unwanted = {n.removesuffix(_SUFFIX) for n in names if n.endswith(_SUFFIX)} - set(wanted)
        for step in files.names(self.checkpoints) if unwanted else ():
            path = self.checkpoints / step / REST
            if path.is_file():
                told = files.disk.read(path).decode(errors="replace")
                unwanted = {digest for digest in unwanted if digest not in told}
        for digest in unwanted:
            try:
                files.disk.remove(self._path(digest))
            except OSError as error:
                raise CheckpointError(f"{self._path(digest)}: cannot be removed: {error}") from None

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}{_SUFFIX}"
