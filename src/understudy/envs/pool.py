"""Slots kept by worker processes: the same episodes as `GymEnv`'s, on several cores."""

from __future__ import annotations

import os
import signal
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from multiprocessing import current_process
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.spaces import codecs_of
from understudy.data.spec import Spec
from understudy.envs import spawn
from understudy.envs.env import Moment
from understudy.envs.gym import BEHAVIOR, GymEnv
from understudy.envs.gym_make import registered
from understudy.envs.shared import NO_SEED, bytes_of, lay_out
from understudy.envs.shares import cut, joined, shares
from understudy.envs.worker import Told, serve
from understudy.errors import EnvError

_STEP = bytes(ForkingPickler.dumps(("step", None)))
_LEAVE_SECONDS = 5.0
"""How long a worker may take to close its environments."""


class PoolEnv:
    """An `Env` of one behavior, `agent`, whose slots are kept by worker processes.

    Every slot lives the same episodes as in a `GymEnv` of as many slots, whatever the number of
    workers, and a state of one is a state of the other. What is seen and done lies in shared
    memory, which has no name in the file system, so nothing is left of it however a process ends.
    The workers end when this is closed or no longer used, and when this process ends.

    Attributes:
        behaviors: What `agent` sees and does.
        slots: How many slots.
        env_id: The id, or the class where the environment was never registered.
        versions: Gymnasium, the simulator and the environment's package.
        make_kwargs: What the environment was made with, beside its id.
        render_fps: Pictures per second at which slot 0 is meant to be watched, None if it does not
            say.
        shares: Which slots each worker keeps.
    """

    def __init__(
        self,
        env: Any,
        slots: int,
        workers: int,
        *,
        render_mode: str | None = None,
        make_kwargs: Mapping[str, Any] | None = None,
        max_entities: int | None = None,
    ) -> None:
        """Start the workers, each with an even share of the slots.

        Args:
            env: An id (`CartPole-v1`, `module:Name-v0`) or a function or class that makes one and
                stands in a module.
            slots: How many environments run side by side.
            workers: How many processes; no more than there are slots.
            render_mode: Of slot 0, for `render`; None: no pictures.
            make_kwargs: For `gymnasium.make` or the function.
            max_entities: The most entities of an observation of variable length; None: as
                many as the environment's `metadata["max_entities"]` says, else 32.

        Raises:
            EnvError: It cannot be made, its spaces are not supported, or a worker cannot make it.
        """
        if not 1 <= workers <= slots:
            raise EnvError(f"workers={workers}: expected 1 to {slots}, the number of slots")
        if current_process().daemon:
            raise EnvError(f"workers={workers}: a worker process may not have workers; expected 0")
        self.make_kwargs = dict(make_kwargs or {})
        self._describe(env, max_entities)
        self.slots: Mapping[str, int] = {BEHAVIOR: slots}
        self.shares = shares(slots, workers)
        source = registered(env, self.env_id)
        try:
            main = spawn.needs_main((source, self.make_kwargs))
        except EnvError as error:
            raise EnvError(f"{self.env_id}: {error}") from None
        self._time, self._main = 0, main
        memory = spawn.CONTEXT.RawArray("B", bytes_of(self._spec, slots))
        self._lay_out(memory)
        self._processes: list[Any] = []
        self._pipes: list[Any] = []
        self._answered: list[Callable[[], bool]] = []
        self._awaited = [False] * workers
        self._end = weakref.finalize(self, _end, os.getpid(), self._processes, self._pipes)
        for share in self.shares:
            mode = render_mode if share.start == 0 else None
            told = Told(source, self.make_kwargs, self._spec, slots, share, mode, max_entities)
            self._start(told, memory)
        try:
            self._answers()
        except BaseException:
            self.close()
            raise

    def _describe(self, env: Any, max_entities: int | None) -> None:
        """What can be said without a worker; what is wrong with the environment is said here."""
        import gymnasium

        if isinstance(env, gymnasium.Env):
            raise EnvError(
                f"{type(env.unwrapped).__name__} exists already and cannot be sent to a worker "
                "process; pass its id or a function that makes it"
            )
        first = GymEnv(env, 1, make_kwargs=self.make_kwargs, max_entities=max_entities)
        with closing(first):
            self.env_id, self.versions = first.env_id, first.versions
            self.behaviors: Mapping[str, Spec] = first.behaviors
            self.render_fps = first.render_fps
        self._spec = first.behaviors[BEHAVIOR]
        self._actions = codecs_of(self._spec)[1]

    def _lay_out(self, memory: Any) -> None:
        slots = self.slots[BEHAVIOR]
        self._shared = shared = lay_out(self._spec, slots, memory)
        shared.seed[:] = NO_SEED
        moment = Moment(
            slots=np.arange(slots),
            obs=shared.obs,
            reward=shared.reward,
            terminated=shared.terminated,
            truncated=shared.truncated,
            fresh=shared.fresh,
        )
        self._moments: Mapping[str, Moment] = {BEHAVIOR: moment}

    def _start(self, told: Told, memory: Any) -> None:
        ours, theirs = spawn.CONTEXT.Pipe()
        self._pipes.append(ours)
        with closing(theirs):
            try:
                process = spawn.start(serve, (told, memory, theirs), main=self._main)
            except (OSError, RuntimeError) as error:
                self.close()
                text = " ".join(str(error).split())
                why = spawn.GUARD if isinstance(error, RuntimeError) else text
                raise EnvError(
                    f"{self.env_id}: no worker can be started: {why}; workers=0 keeps the slots in "
                    "this process"
                ) from error
        self._processes.append(process)
        self._answered.append(spawn.listener(ours, process.sentinel))
        self._awaited[len(self._processes) - 1] = True

    @property
    def moments(self) -> Mapping[str, Moment]:
        """What the slots said last."""
        return self._moments

    def reset(self, seed: int | None = None) -> Mapping[str, Moment]:
        """Begin an episode in every slot; see `GymEnv.reset`.

        Raises:
            EnvError: The environment fails or breaks its contract, or a worker has ended.
        """
        self._time = 0
        seed = _drawn() if seed is None else seed
        self._ask("reset", [seed] * len(self.shares))
        return self._moments

    def step(self, actions: Mapping[str, Action]) -> Mapping[str, Moment]:
        """Do one action in every slot; a slot whose episode is over begins the next instead.

        Raises:
            EnvError: The action does not fit, the environment fails or breaks its contract, or a
                worker has ended.
        """
        continuous, discrete = self._fitted(actions)
        self._time += 1
        self._settle()
        self._shared.continuous[:] = continuous
        self._shared.discrete[:] = discrete
        self._say([_STEP] * len(self.shares))
        self._answers()
        return self._moments

    def _fitted(self, actions: Mapping[str, Action]) -> Action:
        try:
            action = self._actions.fit(actions[BEHAVIOR])
        except KeyError:
            raise EnvError(
                f"{self.env_id}: no actions of behavior '{BEHAVIOR}', found {[*actions]}"
            ) from None
        except EnvError as error:
            raise EnvError(f"{self.env_id}: {error}") from None
        if len(action.discrete) != self.slots[BEHAVIOR]:
            raise EnvError(
                f"{self.env_id}: {len(action.discrete)} actions for {self.slots[BEHAVIOR]} slots"
            )
        return action

    def seeds(self, behavior: str) -> list[int | None]:
        """`[slots]` the seed of every slot's present episode, None before the first."""
        return [None if seed == NO_SEED else seed for seed in self._shared.seed.tolist()]

    def state_dict(self) -> dict[str, Any]:
        """Where every slot is, as `GymEnv.state_dict` says it."""
        return joined(self._ask("state", [None] * len(self.shares)))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bring every slot to where it was; see `GymEnv.load_state_dict`.

        Raises:
            EnvError: It came to another place, or has another number of slots.
        """
        self._time = int(state["time"])
        self._ask("load", [cut(state, share) for share in self.shares])

    def render(self) -> NDArray[np.uint8] | None:
        """A picture `[H, W, 3]` of slot 0, None without a `render_mode` that makes one."""
        return self._ask("render", [None])[0]

    def close(self) -> None:
        """End the workers; once more does nothing."""
        self._end()

    def _ask(self, order: str, values: Sequence[Any]) -> list[Any]:
        """What the first workers answer to an order, each with its own value."""
        self._settle()
        self._say([bytes(ForkingPickler.dumps((order, value))) for value in values])
        return self._answers()

    def _say(self, orders: Sequence[bytes]) -> None:
        """Give the first workers an order each."""
        for worker, order in enumerate(orders):
            try:
                self._pipes[worker].send_bytes(order)
            except OSError:
                raise self._ended(worker) from None
            self._awaited[worker] = True

    def _settle(self) -> None:
        """Hear what is still outstanding since somebody was interrupted while listening."""
        if not self._end.alive:
            raise EnvError(f"{self.env_id}: its workers have ended; make it anew")
        if any(self._awaited):
            self._answers()

    def _answers(self) -> list[Any]:
        """What every worker says that owes an answer, by worker."""
        # All are heard before anything is raised, so that every later answer is to a later order.
        heard = [self._hear(worker) for worker, due in enumerate(self._awaited) if due]
        for good, value in heard:
            if not good:
                raise EnvError(value)
        return [value for _, value in heard]

    def _hear(self, worker: int) -> tuple[bool, Any]:
        try:
            answer = self._pipes[worker].recv() if self._answered[worker]() else None
        except (EOFError, OSError):
            answer = None
        if answer is None:
            raise self._ended(worker)
        self._awaited[worker] = False
        return answer

    def _ended(self, worker: int) -> EnvError:
        """A worker is gone: so are the others, then, for its slots cannot be had back."""
        process, share = self._processes[worker], self.shares[worker]
        process.join(_LEAVE_SECONDS)
        code = process.exitcode
        self.close()
        slots = f"slot {share.start}" if len(share) == 1 else f"slots {share[0]} to {share[-1]}"
        # Before the first answer it has not come further than to importing what it needs.
        began = self._shared.seed[share.start] != NO_SEED
        when = f"at step {self._time} after the reset" if began else "before it was ready"
        hint = f"; {spawn.GUARD}" if self._main and not began else ""
        return EnvError(f"{self.env_id}: the worker process of {slots} {_cause(code)} {when}{hint}")


def _drawn() -> int:
    entropy = np.random.SeedSequence().entropy
    assert isinstance(entropy, int), "drawn by the operating system"
    return entropy


def _cause(code: int | None) -> str:
    """How a process ended."""
    if code is None:
        return "does not answer any more"
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    memory = " (out of memory?)" if name == "SIGKILL" else ""
    return f"was ended by {name}{memory}"


def _end(owner: int, processes: Iterable[Any], pipes: Iterable[Any]) -> None:
    """Let the workers go, or end them; only who started them may."""
    if os.getpid() != owner:
        return
    for pipe in pipes:
        pipe.close()
    for process in processes:
        process.join(_LEAVE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
