from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

import victim
from mutants import mutants as mutations
from understudy.data.demos import Provenance
from understudy.data.episode import End, Episode
from understudy.data.formats.native import DemoWriter, read_demos
from understudy.errors import DemoError

VICTIM = Path(victim.__file__)


def start(*arguments: object) -> subprocess.Popen[str]:
    """A recorder: `FILE SEED [LIMIT]`."""
    return subprocess.Popen(
        [sys.executable, str(VICTIM), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported what a recorder needs."""
    child = start("serve")
    yield child
    child.communicate()


def run_and_kill(server: subprocess.Popen[str], path: Path, seed: int, seconds: float) -> list[str]:
    """What a recorder acknowledged in the time before it was killed."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{path} {seed}\n")
    server.stdin.flush()
    pid = int(server.stdout.readline().split()[1])
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return list(iter(server.stdout.readline, "dead\n"))


class Acknowledged:
    """What recorders said that they had written."""

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}
        self.ended: set[str] = set()
        self.gone: set[str] = set()

    def hear(self, lines: Iterable[str]) -> None:
        for line in lines:
            what, label, *t = line.split()
            if what == "step":
                self.steps[label] = int(t[0]) + 1
            elif what == "end":
                self.ended.add(label)
            elif what == "gone":
                self.gone.add(label)

    def check(self, path: Path) -> int:
        """Everything acknowledged is in the file, right; returns how many steps are."""
        demos = read_demos(path)
        there = {episode.label: episode for episode in demos}
        demos.episodes.close()  # type: ignore[attr-defined]
        assert len(there) == len(demos)
        for label, steps in self.steps.items():
            if label not in self.gone or label in there:
                assert len(there[label]) >= steps, f"{label}: {len(there[label])} of {steps}"
        for label in self.ended:
            assert there[label].end is End.TERMINATED
        for episode in there.values():
            check_content(episode)
        return sum(map(len, there.values()))


def check_content(episode: Episode) -> None:
    label, steps = int(episode.label), len(episode)
    for t in range(steps + 1):
        for name, array in victim.seen(label, t).items():
            assert np.array_equal(episode.obs[name][t], array), (label, t, name)
    assert episode.action.continuous[:, 0].tolist() == [label - t for t in range(steps)]
    assert episode.action.discrete[:, 0].tolist() == [(label + t) % 4 for t in range(steps)]
    assert episode.reward is not None
    assert episode.reward.tolist() == list(range(steps))


def test_a_killed_recorder_loses_no_acknowledged_step(
    server: subprocess.Popen[str], tmp_path: Path
) -> None:
    rng = random.Random(0)
    kills, steps, recovered = 40, 0, 0
    # From the very first moment, in which the file is made, to the middle of things.
    moments = [0.3 * rng.random() ** 2 for _ in range(kills)]
    heard = Acknowledged()
    path = tmp_path / "0"
    for number in range(kills):
        # Every fourth file is new; into the others the next recorder appends, and is killed too.
        if number % 4 == 0:
            heard, path = Acknowledged(), tmp_path / str(number)
        heard.hear(run_and_kill(server, path, 1 + number * 30, moments[number]))
        assert path.exists() or not heard.steps
        if number % 2 and path.exists():
            recovered += Path(f"{path}-wal").exists()
            steps = max(steps, heard.check(path))
            assert not Path(f"{path}-wal").exists()
    assert steps > 100, "the recorders were killed before they recorded anything"
    assert recovered > kills // 4, "the recorders had closed their files"


def test_a_recovered_file_says_what_was_recovered(tmp_path: Path) -> None:
    path = tmp_path / "a"
    code = (
        "import os, sys, victim; from understudy.data.formats.native import *;"
        "from understudy.data.episode import End; from understudy.data.demos import Provenance;"
        "w = DemoWriter(sys.argv[1], victim.SPEC, Provenance(format='understudy'))\n"
        "for n, steps in enumerate((4, 2, 57)):\n"
        "    e = w.begin(victim.seen(n, 0), label=str(n))\n"
        "    for _ in range(steps): victim.take(e, n)\n"
        "    if n < 2: e.end(End.TERMINATED)\n"
        "w.begin(victim.seen(9, 0))\n"
        "os.kill(os.getpid(), 9)"
    )
    places = os.pathsep.join([*sys.path, str(VICTIM.parent)])
    subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": places},
        stdout=subprocess.DEVNULL,
    )
    assert Path(f"{path}-wal").exists()
    demos = read_demos(path)
    stopped, what = demos.provenance.notes
    assert stopped.startswith("the recorder was stopped before it could close the file")
    assert what == "3 episodes recovered; the last was not ended: 57 steps"
    assert [(e.end, len(e)) for e in demos] == [
        (End.TERMINATED, 4), (End.TERMINATED, 2), (End.OPEN, 57),
    ]  # fmt: skip
    assert demos.episodes.returns[2] == sum(range(57))  # type: ignore[attr-defined]
    demos.episodes.close()  # type: ignore[attr-defined]
    with DemoWriter(path, victim.SPEC, Provenance(format="understudy"), append=True) as writer:
        episode = writer.begin(victim.seen(3, 0), label="3")
        victim.take(episode, 3)
        episode.end(End.TRUNCATED)
    demos = read_demos(path)
    assert [e.end for e in demos] == [End.TERMINATED, End.TERMINATED, End.OPEN, End.TRUNCATED]
    assert demos.provenance.notes == ("4 episodes; number 2 was not ended: 57 steps",)
    for episode in demos:
        check_content(episode)
    assert os.listdir(tmp_path) == ["a"]
    demos.episodes.close()  # type: ignore[attr-defined]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("limit", [150_000, 153_001, 200_000, 300_001])
def test_a_full_disk_is_one_line_and_loses_no_acknowledged_step(limit: int, tmp_path: Path) -> None:
    child = start(tmp_path / "a", 1, limit)
    said, _ = child.communicate(timeout=30)
    *lines, last = said.splitlines(True)
    assert child.returncode == 2
    assert last.startswith(f"error {tmp_path / 'a'}: ")
    heard = Acknowledged()
    heard.hear(lines)
    assert heard.check(tmp_path / "a") >= 5


def test_a_killed_file_in_a_folder_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start(tmp_path / "a", 1)
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.communicate()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DemoError, match=r"did not close it .* copy a\* to one that is"):
        read_demos(tmp_path / "a")


def test_damage_in_the_middle_of_a_log_is_refused(tmp_path: Path) -> None:
    rng = random.Random(0)
    child = start(tmp_path / "a", 1)
    assert child.stdout is not None
    for _ in range(60):
        child.stdout.readline()
    child.kill()
    child.communicate()
    log = Path(f"{tmp_path}/a-wal")
    whole, main = log.read_bytes(), (tmp_path / "a").read_bytes()
    for _ in range(20):
        at = rng.randrange(32, len(whole) * 2 // 3)
        log.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(DemoError, match=r"a-wal: byte \d+: damaged, and \d+ later records"):
            read_demos(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == main
    log.write_bytes(whole)
    read_demos(tmp_path / "a").episodes.close()  # type: ignore[attr-defined]


def test_a_damaged_log_never_says_anything_else(tmp_path: Path) -> None:
    child = start(tmp_path / "a", 1)
    assert child.stdout is not None
    for _ in range(40):
        child.stdout.readline()
    child.kill()
    child.communicate()
    log = Path(f"{tmp_path}/a-wal")
    whole, main = log.read_bytes(), (tmp_path / "a").read_bytes()
    refused, mutants = 0, list(mutations(whole, 100, random.Random(0)))
    for mutant in mutants:
        (tmp_path / "a").write_bytes(main)
        log.write_bytes(mutant)
        try:
            # What is left of a log that was cut is what was recorded until then.
            Acknowledged().check(tmp_path / "a")
        except DemoError as error:
            refused += 1
            lines = str(error).splitlines()
            if len(lines) > 1:
                raise
    assert refused > 80
