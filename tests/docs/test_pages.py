"""Whatever the pages tell people to type works."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

import demo_files
import pages

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "api" not in page.parts and page.name != "formats.md"]


def recording(path: Path) -> None:
    """An ML-Agents recording of a cart that is pushed back to the middle, as Unity leaves it."""
    rng = np.random.default_rng(0)
    brain = demo_files.brain(branches=(3,), name="Cart?team=0")
    records, wanted = [], 0
    for _ in range(8):
        place = rng.uniform(-1, 1)
        for t in range(25):
            seen = [demo_files.observation([place, place**2], name="Where")]
            # Unity's recorder writes an action into the record after the one it was taken at.
            records.append(demo_files.record(seen, reward=0.1, done=t == 24, discrete=[wanted]))
            wanted = 1 if abs(place) < 0.1 else 2 if place < 0 else 0
            place += 0.1 * (wanted - 1) + rng.normal(0, 0.02)
    path.write_bytes(demo_files.demo_file(brain, records, num_episodes=8))


@pytest.mark.skipif(os.name == "nt", reason="the pages speak to a POSIX shell")
@pytest.mark.parametrize(
    "page", [*filter(pages.blocks, PAGES)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_blocks_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("Box2D")
    recording(tmp_path / "cart.demo")
    monkeypatch.chdir(tmp_path)
    pages.run(page, tmp_path)


def test_every_page_names_files_that_are_there() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: no {link}"
