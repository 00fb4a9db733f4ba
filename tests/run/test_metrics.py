from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from understudy.errors import CheckpointError
from understudy.run.metrics import MetricsFile, read_metrics


def written(path: Path, *steps: int) -> None:
    metrics = MetricsFile(path)
    for step in steps:
        metrics.note({"step": step})
    metrics.close()


def test_line_is_in_the_file_at_once_and_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    line = {"step": 1, "nan": float("nan"), "inf": -np.inf, "f4": np.float32(0.5), "x": np.nan}
    metrics.note({**line, "list": [1.0, np.inf], "more": {"a": np.array([1.0, np.nan])}, "w": "é"})
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert json.loads(text, parse_constant=pytest.fail) == {
        "step": 1, "nan": None, "inf": None, "f4": 0.5, "x": None,
        "list": [1.0, None], "more": {"a": [1.0, None]}, "w": "é",
    }  # fmt: skip
    metrics.sync()
    metrics.close()
    metrics.close()


def test_resumed_run_cuts_the_lines_that_it_will_write_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 1, 2, 3, 4)
    metrics = MetricsFile(path, resumed_step=2)
    metrics.note({"step": 3})
    metrics.close()
    assert [line["step"] for line in read_metrics(path)] == [1, 1, 2, 3]
    MetricsFile(path, resumed_step=0).close()
    assert path.read_bytes() == b""


def test_resumed_run_keeps_every_line_up_to_its_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 2)
    MetricsFile(path, resumed_step=5).close()
    assert len(read_metrics(path)) == 2


def test_torn_last_line_is_neither_read_nor_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(path) == []
    written(path, 1, 2)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = read_metrics(path)
        written(path, 9)
        assert [line["step"] for line in read_metrics(path)] == [*(f["step"] for f in found), 9]


def test_damaged_line_is_named_and_survives_a_resume(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step":1}\n\xff\x00\n{"step":2}\n{"step":3}\n')
    with pytest.raises(CheckpointError, match=r"metrics.jsonl:2: damaged"):
        read_metrics(path)
    MetricsFile(path, resumed_step=2).close()
    assert path.read_bytes() == b'{"step":1}\n\xff\x00\n{"step":2}\n'
