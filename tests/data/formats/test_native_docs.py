from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.native import write_demos
from understudy.data.spec import ActionSpec, Obs, Spec

PAGE = Path(__file__).parents[3] / "docs" / "formats.md"


def test_the_page_says_how_to_read_a_file_without_understudy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spec = Spec(
        obs={
            "eye": Obs(kind="image", shape=(6, 5, 3), dtype="uint8"),
            "others": Obs(kind="entities", shape=(3, 2)),
        },
        action=ActionSpec(continuous=2, branches=(300,)),
    )
    episode = Episode(
        obs={
            "eye": rng.integers(0, 256, (9, 6, 5, 3), np.uint8),
            "others": rng.normal(size=(9, 3, 2)).astype(np.float32),
            "others.present": rng.random((9, 3)) < 0.5,
        },
        action=Action(rng.normal(size=(8, 2)).astype(np.float32), rng.integers(0, 300, (8, 1))),
        reward=rng.normal(size=8),
        end=End.TRUNCATED,
        acted_by=np.full(8, 2, np.uint8),
        seed=7,
    )
    write_demos(tmp_path / "a", Demos(spec, [episode]))
    script = next(
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
        if "def read(" in block
    )  # fmt: skip
    room: dict[str, Any] = {}
    exec(script, room)
    ((row, columns),) = room["read"](tmp_path / "a")
    assert row == (1, "7", "truncated", 8, "float64")
    for name, array in episode.obs.items():
        assert np.array_equal(columns[name], array)
    assert np.array_equal(columns["action continuous"][1:], episode.action.continuous)
    assert np.array_equal(columns["action discrete"][1:], episode.action.discrete)
    assert episode.reward is not None
    assert np.array_equal(columns["reward"][1:], episode.reward)
    assert np.array_equal(columns["acted by"][1:], episode.acted_by)
    assert "proposed continuous" not in columns
