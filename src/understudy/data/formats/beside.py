"""New files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from understudy.data.formats.refusal import plain
from understudy.errors import DemoError


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A free place beside `path`; what was put there becomes `path` when all went well.

    Raises:
        DemoError: There is something at `path` already, or it cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise DemoError(f"{path}: it exists already; choose another name")
    place = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield place
        os.rename(place, path)
    except OSError as error:
        reason = plain(error.strerror or str(error))
        raise DemoError(f"{path}: it cannot be written ({reason})") from None
    finally:
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
