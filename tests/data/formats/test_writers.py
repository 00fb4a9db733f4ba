"""Every format that can be written is read again by the one door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hdf5_files as h
from understudy.data.formats.door import load_demos
from understudy.data.formats.writers import WRITERS


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    writer = WRITERS[name]
    demos = h.demos_of("vector")
    lost = writer.write(tmp_path / f"set{writer.suffix}", demos)
    assert all(isinstance(what, str) for what in lost)
    back = load_demos(tmp_path / f"set{writer.suffix}")
    assert back.lengths.tolist() == demos.lengths.tolist()
    # Some formats know only float32.
    np.testing.assert_allclose(back.returns, demos.returns, rtol=1e-6)
    assert (tmp_path / f"set{writer.suffix}").is_dir() == (not writer.suffix)
