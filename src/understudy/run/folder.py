"""A run's folder: who it is, what it holds, and that only one process writes it."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from understudy.errors import CheckpointError, ConfigError
from understudy.run import checkpoint, files
from understudy.run.metrics import MetricsFile
from understudy.run.session_facts import add_session

if TYPE_CHECKING:
    from understudy.run.policy import Policy

CONFIG, FACTS, METRICS, LOCK = "config.yaml", "env.json", "metrics.jsonl", ".lock"
LATEST = "latest"
"""Names the run that was begun or resumed last."""

_ID = re.compile(r"[A-Za-z0-9][\w.+=@-]{0,99}", re.ASCII)


class RunFolder:
    """The folder of one run, which no other process writes until it is closed.

    It holds the resolved `config.yaml`; `env.json`, a list of the sessions that worked on it;
    `metrics.jsonl`; and the folders `checkpoints`, `policy`, `report` and `tensorboard`.

    Attributes:
        path: The folder.
        moved: Where `force` moved the run that was here before; None if there was none.
        notes: What a person should know, a line each.
    """

    def __init__(self, path: Path, lock: int, moved: Path | None = None) -> None:
        """Use `create` or `open`."""
        self.path, self.moved = path, moved
        self.notes: tuple[str, ...] = ()
        self._lock = lock

    @classmethod
    def create(
        cls,
        results_dir: str | Path,
        run_id: str,
        config_yaml: str,
        *,
        force: bool = False,
        seed: int | None = None,
    ) -> Self:
        """Begin a run.

        Args:
            results_dir: Where runs are; made if it is absent.
            run_id: The new folder's name.
            config_yaml: The resolved settings.
            force: Move a run of this name aside, to `<run_id>.old-1` or the next free number.
                Nothing is ever deleted.
            seed: To be written down.

        Raises:
            ConfigError: The name will not do, or there is such a run, or it is being written.
            CheckpointError: The folder cannot be written.
        """
        path = Path(results_dir) / check_run_id(run_id)
        moved = None
        if _in_use(path):
            if not force:
                raise ConfigError(
                    f"{path}: there is a run '{run_id}' already; go on with it (--resume), start "
                    "over (--force; the old run is kept beside it), or choose another --run-id"
                )
            moved = _move_aside(path)
        files.make_folders(path)
        run = cls(path, _locked(path), moved)
        try:
            if (path / CONFIG).exists():  # Another process was quicker.
                raise ConfigError(f"{path}: another process has just begun this run")
            files.sweep(path)
            run._begin(seed)
            # Last, because it says that the run is there.
            files.write_whole(path / CONFIG, config_yaml.encode())
        except BaseException:
            run.close()
            raise
        return run

    @classmethod
    def open(cls, results_dir: str | Path, run_id: str, *, seed: int | None = None) -> Self:
        """Go on with a run; also `latest`.

        Raises:
            ConfigError: It is being written by another process.
            CheckpointError: There is no such run; says which there are.
        """
        path = find_run(results_dir, run_id)
        run = cls(path, _locked(path))
        try:
            files.sweep(path)
            run._begin(seed)
        except BaseException:
            run.close()
            raise
        return run

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def config_yaml(self) -> str:
        """The resolved settings with which the run was begun."""
        return (self.path / CONFIG).read_text(encoding="utf-8")

    def put_config(self, config_yaml: str) -> None:
        """Replace the settings, for a run that goes on to another number of steps.

        Raises:
            CheckpointError: It cannot be written.
        """
        files.write_whole(self.path / CONFIG, config_yaml.encode())

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are; see `run.checkpoint`."""
        return self.path / "checkpoints"

    @property
    def policy(self) -> Path:
        """Where the policy is."""
        return self.path / "policy"

    @property
    def report(self) -> Path:
        """Where pictures and tables are."""
        return self.path / "report"

    @property
    def tensorboard(self) -> Path:
        """Where event files are."""
        return self.path / "tensorboard"

    @property
    def metrics_path(self) -> Path:
        """The metrics' file; see `run.metrics`."""
        return self.path / METRICS

    def metrics(self, resumed_step: int | None = None) -> MetricsFile:
        """The metrics' writer; lines after `resumed_step` are cut off, if it is given."""
        return MetricsFile(self.metrics_path, resumed_step)

    def load(self) -> checkpoint.Loaded | None:
        """The newest checkpoint that is whole; None if none was written yet.

        Raises:
            CheckpointError: There are some, but none can be read.
        """
        return checkpoint.load(self.checkpoints) if checkpoint.steps(self.checkpoints) else None

    def close(self) -> None:
        """Let others write here; more than once does no harm."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, seed: int | None) -> None:
        self.notes = add_session(self.path / FACTS, seed)


def check_run_id(run_id: str) -> str:
    """The same name, if a run may have it.

    Raises:
        ConfigError: It may not; says why.
    """
    if run_id == LATEST or not _ID.fullmatch(run_id) or run_id.endswith((".", files.OLD)):
        raise ConfigError(
            f"run id {run_id!r}: expected a name of letters, digits and - _ . + = @, beginning "
            f"with a letter or digit, at most 100 long, and not '{LATEST}'"
        )
    return run_id


def free_run_id(results_dir: str | Path, stem: str) -> str:
    """A name that no run has: the stem, what does not fit in it replaced, and a number.

    Args:
        results_dir: Where runs are.
        stem: Such as an environment's id.
    """
    clean = re.sub(r"[^\w.+=@-]+", "-", stem, flags=re.ASCII).strip("-._+=@")[:80] or "run"
    taken = set(files.names(Path(results_dir)))
    return next(name for n in itertools.count(1) if (name := f"{clean}-{n}") not in taken)


def run_ids(results_dir: str | Path) -> list[str]:
    """The runs that are there, the one begun or resumed last at the end.

    Raises:
        CheckpointError: The folder cannot be read.
    """
    folder = Path(results_dir)
    found = [name for name in files.names(folder) if (folder / name / CONFIG).is_file()]
    return sorted((n for n in found if _ID.fullmatch(n)), key=lambda n: _last_begun(folder / n))


def find_run(results_dir: str | Path, name: str | Path) -> Path:
    """The folder of a run, for reading.

    Args:
        results_dir: Where runs are.
        name: A run id, `latest`, or the path of a run's folder.

    Raises:
        CheckpointError: There is no such run; says which there are.
    """
    known = run_ids(results_dir)
    if str(name) == LATEST and known:
        return Path(results_dir) / known[-1]
    for path in (Path(results_dir) / name, Path(name)):
        if (path / CONFIG).is_file():
            return path
    there = f"there are: {', '.join(known[-10:])}" if known else "there is none at all"
    raise CheckpointError(f"{results_dir}: no run '{name}'; {there}")


def policy_of(name: str | Path, results_dir: str | Path = "results") -> Policy:
    """The policy of a run, or the one in a folder that `Policy.save` wrote.

    Args:
        name: A run id, `latest`, the path of a run's folder, or of a policy's.
        results_dir: Where runs are.

    Raises:
        CheckpointError: There is none, or it cannot be read.
    """
    from understudy.run.policy import Policy

    if files.is_committed(Path(name)):
        return Policy.load(Path(name))
    path = find_run(results_dir, name) / "policy"
    if not path.exists() and not path.with_name(path.name + files.OLD).exists():
        raise CheckpointError(f"{path}: this run has no policy yet; go on with it (--resume)")
    return Policy.load(path)


def _in_use(path: Path) -> bool:
    """Whether anything but the remains of an interrupted beginning is here."""
    ours = {LOCK, FACTS}
    if not path.is_dir():
        return path.exists()
    return any(name not in ours and name[:5] != ".tmp-" for name in files.names(path))


def _move_aside(path: Path) -> Path:
    if not (path / CONFIG).is_file():
        raise ConfigError(f"{path}: this is no run's folder; choose another --run-id")
    lock = _locked(path)
    try:
        to = next(
            free
            for n in itertools.count(1)
            if not (free := path.with_name(f"{path.name}.old-{n}")).exists()
        )
        files.disk.rename(path, to)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be moved aside: {error.strerror}") from error
    finally:
        os.close(lock)
    return to


def _locked(path: Path) -> int:
    """A descriptor that holds the folder until it is closed or the process dies."""
    try:
        descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from error
    if not _hold(descriptor) or not _still_there(descriptor, path / LOCK):
        holder = os.read(descriptor, 20).decode(errors="replace").strip()
        os.close(descriptor)
        raise ConfigError(
            f"{path}: process {holder or '?'} is writing this run; wait for it, stop it, or choose "
            "another --run-id"
        )
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _hold(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: nothing holds the folder there.
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_there(descriptor: int, path: Path) -> bool:
    """Whether the file was not moved aside between opening and locking it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _last_begun(path: Path) -> int:
    """When a run was last begun or resumed: then its lock was written."""
    mark = path / LOCK
    return (mark if mark.exists() else path / CONFIG).stat().st_mtime_ns
