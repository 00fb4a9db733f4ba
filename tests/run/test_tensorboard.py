from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import CheckpointError
from understudy.run.tensorboard import EventLog

PURGE_AND_READ = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
seen = EventAccumulator(sys.argv[1])
seen.Reload()
scalars = {tag: [(e.step, e.value) for e in seen.Scalars(tag)] for tag in seen.Tags()["scalars"]}
print(json.dumps(scalars))
"""


def seen_by_tensorboard(folder: Path) -> dict[str, Any]:
    """What TensorBoard itself makes of the folder; in a process of its own, since it is noisy."""
    import json

    pytest.importorskip("tensorboard")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PURGE_AND_READ, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "tensorboard")
    log.scalars(0, {"loss": 0.5, "held_out/é": -2.0})
    log.scalars(300, {"loss": 0.25})
    log.scalars(2**40, {"loss": 1e30})
    log.note({"step": 7, "a": 1, "b": float("nan"), "c": "text", "d": [1], "e": None})
    log.scalars(8, {})
    # Not closed: what was noted is there already.
    assert seen_by_tensorboard(tmp_path / "tensorboard") == {
        "loss": [[0, 0.5], [300, 0.25], [2**40, pytest.approx(1e30)]],
        "held_out/é": [[0, -2.0]],
        "a": [[7, 1.0]],
    }
    log.close()
    log.close()


def test_resumed_run_hides_the_steps_that_it_does_again(tmp_path: Path) -> None:
    first = EventLog(tmp_path)
    for step in range(5):
        first.scalars(step, {"loss": float(step)})
    first.close()
    second = EventLog(tmp_path, resumed_step=2)
    second.scalars(3, {"loss": 30.0})
    second.close()
    assert seen_by_tensorboard(tmp_path)["loss"] == [[0, 0.0], [1, 1.0], [2, 2.0], [3, 30.0]]


def test_records_are_those_of_tensorboards_own_writer(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    code = """
import io, sys
from pathlib import Path
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter
from understudy.run import tensorboard
tensorboard.time.time = lambda: 12.5
log = tensorboard.EventLog(Path(sys.argv[1]), resumed_step=4)
log.scalars(1000, {"a/b": 0.1})
value = summary_pb2.Summary.Value(tag="a/b", simple_value=0.1)
start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
made = io.BytesIO()
writer = RecordWriter(made)
for event in (
    event_pb2.Event(wall_time=12.5, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=12.5, step=5, session_log=start),
    event_pb2.Event(wall_time=12.5, step=1000, summary=summary_pb2.Summary(value=[value])),
):
    writer.write(event.SerializeToString(deterministic=True))
assert log.path.read_bytes() == made.getvalue()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], check=True)


def test_writing_needs_neither_tensorboard_nor_torch(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from understudy.run.tensorboard import EventLog
EventLog(Path(sys.argv[1])).scalars(1, {"a": 1.0})
assert not {"tensorboard", "torch", "google.protobuf"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError):
        EventLog(tmp_path / "file")
