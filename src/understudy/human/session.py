"""A person records episodes: play, pause, undo, mark, discard. Every step is written as it is made.

An episode that is over is settled by the person: kept, marked, discarded, or partly taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.episode import ActedBy, End, Tree
from understudy.envs.actors import noisy
from understudy.envs.retrace import Stage
from understudy.human.hands import Hands
from understudy.human.keys import Command
from understudy.human.shell import Picture, Shell, seen_lines
from understudy.run.quota import Ledger
from understudy.run.record import Begin, Take, executed_and_meant

SUCCESS = "success"
FPS = 30.0
"""Of an environment that does not say how fast it is meant to be watched."""


class ByHand:
    """An actor that does what hands do, in one slot. See `Actor`."""

    acted_by = ActedBy.HUMAN
    proposed: Action | None = None

    def __init__(self, hands: Hands) -> None:
        """Args: hands: whose action it is."""
        self.hands = hands

    def start(self, slots: int) -> Tree:
        """No memory."""
        return {}

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor.act`."""
        action = self.hands.act()
        return Action(action.continuous[None], action.discrete[None]), state


@dataclass(slots=True)
class _Lived:
    """One step that was made."""

    action: Action
    meant: Action | None
    reward: float
    obs: Tree


@dataclass(slots=True)
class _Life:
    """The episode that is being lived.

    Attributes:
        take: Where it is recorded.
        seed: It began with.
        first: What was seen first.
        steps: What happened since.
        end: How it ended, None while it goes on.
        success: Whether the person marked it.
        settled: Whether it was kept, discarded or left.
    """

    take: Take
    seed: int
    first: Tree
    steps: list[_Lived] = field(default_factory=list)
    end: End | None = None
    success: bool = False
    settled: bool = False

    @property
    def obs(self) -> Tree:
        return self.steps[-1].obs if self.steps else self.first

    @property
    def return_(self) -> float:
        return sum(step.reward for step in self.steps)


class Session:
    """One person at one environment.

    Attributes:
        left: Whether the person asked to stop.
        paused: Whether time stands still.
        slow: Whether it is slow.
    """

    def __init__(
        self,
        stage: Stage,
        hands: Hands,
        shell: Shell,
        begin: Begin,
        ledger: Ledger,
        *,
        seed: int,
        noise: float = 0.0,
        until_success: bool = False,
        legend: Sequence[str] = (),
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Nothing happens yet.

        Args:
            stage: Where; it is reset and stepped here alone.
            hands: What the person holds.
            shell: Where the person looks.
            begin: Opens a recording for every new episode.
            ledger: Of one slot: what is kept, and when it is enough.
            seed: Of the episodes and the noise.
            noise: How much actions are disturbed on the way, see `NoisyActor`.
            until_success: The first episode that is marked is the last.
            legend: What the keys do, shown while time stands still.
            say: Told of every episode what became of it.
        """
        self._stage, self._hands, self._shell, self._begin = stage, hands, shell, begin
        self._ledger, self._seed, self._say = ledger, seed, say
        self._until_success, self._legend = until_success, legend
        self._actor: Actor = ByHand(hands)
        if noise:
            self._actor = noisy(self._actor, stage.spec, noise, seed)
        self._seconds = 1 / (stage.render_fps or FPS)
        self._pictured = "rgb_array" in stage.render_modes
        self._count = 0
        self.left, self.paused, self.slow = False, True, False

    def run(self) -> None:
        """Record until it is enough or the person leaves.

        Raises:
            EnvError: The environment fails; what was recorded stays.
            DemoError: The recording cannot be written.
        """
        while self._ledger.open.any() and not self.left:
            self._live()

    def _live(self) -> None:
        """One episode, from its reset until it is settled."""
        seeds = np.random.SeedSequence(self._seed, spawn_key=(self._count,))
        seed = int(seeds.generate_state(1)[0] >> 1)
        self._count += 1
        self._hands.rest()
        first = self._stage.reset(seed)
        life = _Life(self._begin(first, seed=seed), seed, first)
        try:
            while not life.settled:
                self._show(life)
                self._listen(life)
                if not life.settled and self._goes(life):
                    self._step(life)
        finally:
            if not life.settled:
                self._leave(life)

    def _listen(self, life: _Life) -> None:
        asked = [self._hands.hear(event) for event in self._shell.events(self._wait(life))]
        for command in asked:
            if command is not None and not life.settled:
                self._do(life, command)

    def _wait(self, life: _Life) -> float | None:
        """How long until the next step; None: until the person does something."""
        if not self._goes(life):
            return None
        return self._seconds * (self._hands.table.slow if self.slow else 1.0)

    def _goes(self, life: _Life) -> bool:
        waits = self._hands.table.wait and not self._hands.engaged
        return life.end is None and not self.paused and not waits

    def _do(self, life: _Life, command: Command) -> None:
        if command is Command.PAUSE and life.end is None:
            self.paused = not self.paused
        elif command is Command.PAUSE:
            self._settle(life)
        elif command is Command.SLOW:
            self.slow = not self.slow
        elif command is Command.SUCCESS:
            life.success = not life.success
        elif command is Command.DISCARD:
            self._discard(life, "discarded")
        elif command is Command.UNDO:
            self._undo(life)
        else:
            self.left = True
            self._leave(life)

    def _step(self, life: _Life) -> None:
        batch = {name: np.asarray(x)[None] for name, x in life.obs.items()}
        action, _ = self._actor.act(batch, {}, np.array([not life.steps]))
        done, meant, differs = executed_and_meant(
            action, self._actor.proposed, self._stage.spec.action
        )
        executed, proposed = done.at(0), meant.at(0) if differs[0] else None
        obs, reward, terminated, truncated = self._stage.step(executed)
        lived = _Lived(executed, proposed, reward, obs)
        _write(life.take, lived)
        life.steps.append(lived)
        if terminated or truncated:
            life.end = End.TERMINATED if terminated else End.TRUNCATED

    def _undo(self, life: _Life) -> None:
        """Take back the last steps: live the others again, and record what is left anew."""
        keep = life.steps[: max(0, len(life.steps) - self._hands.table.undo_steps)]
        if not self._lives_again(life, keep):
            self._discard(life, "cannot be lived again from its seed, so it was discarded")
            return
        take = self._begin(life.first, seed=life.seed)
        for lived in keep:
            _write(take, lived)
        # The old one last: killed in between, the recording has one too many and none too few.
        life.take.discard()
        life.take, life.steps, life.end = take, keep, None
        self._hands.rest()
        self.paused = True

    def _lives_again(self, life: _Life, steps: Sequence[_Lived]) -> bool:
        """Bring the environment to where it was after these steps; whether that is the place."""
        if not _same(self._stage.reset(life.seed), life.first):
            return False
        for lived in steps:
            obs, reward, terminated, truncated = self._stage.step(lived.action)
            if not _same(obs, lived.obs) or reward != lived.reward or terminated or truncated:
                return False
        return True

    def _settle(self, life: _Life) -> None:
        """Keep an episode that is over, if it brought enough."""
        assert life.end is not None, "it is over"
        life.settled = True
        steps, return_ = len(life.steps), life.return_
        told = f"{self._named(life)}, return {return_:g}"
        if not self._ledger.count(0, steps, return_):
            life.take.discard()
            self._say(f"{told}, not kept: below {self._ledger.wanted.min_return:g}")
            return
        life.take.end(life.end, (SUCCESS,) if life.success else ())
        self._say(f"{told}, {life.end}{', a success' if life.success else ''}")
        if self._until_success and life.success:
            self._ledger.finish(0)

    def _discard(self, life: _Life, why: str) -> None:
        life.settled, self.paused = True, True
        life.take.discard()
        if life.steps:
            self._say(f"{self._named(life)}, {why}")

    def _leave(self, life: _Life) -> None:
        """The person goes, or something failed: what is over is kept, what is not stays open."""
        if life.end is not None:
            self._settle(life)
        elif not life.steps or self._ledger.wanted.min_return is not None:
            self._discard(life, "discarded")
        else:
            life.settled = True
            life.take.end(End.OPEN, (SUCCESS,) if life.success else ())
            self._say(f"{self._named(life)}, left in the middle")

    def _show(self, life: _Life) -> None:
        picture: Picture | None = self._stage.render() if self._pictured else None
        lines = [self._status(life)]
        if not self._pictured:
            lines += seen_lines(life.obs)
        if self.paused and life.end is None:
            lines += self._legend
        self._shell.show(picture, lines)

    def _status(self, life: _Life) -> str:
        parts = [f"episode {self._count}", f"step {len(life.steps)}", f"return {life.return_:g}"]
        if life.success:
            parts.append("marked")
        if life.end is not None:
            parts.append(f"over ({life.end}): {self._key(Command.PAUSE)} keeps it and goes on")
        elif self.paused:
            parts.append(f"paused: {self._key(Command.PAUSE)} goes on")
        elif self.slow:
            parts.append("slow")
        return " · ".join(parts)

    def _named(self, life: _Life) -> str:
        steps = len(life.steps)
        return f"episode {self._count}: {steps} step{'' if steps == 1 else 's'}"

    def _key(self, command: Command) -> str:
        commands = self._hands.table.commands
        return next((key for key, asked in commands.items() if asked is command), "no key")


def _write(take: Take, lived: _Lived) -> None:
    take.step(lived.action, lived.reward, lived.obs, proposed=lived.meant, acted_by=ActedBy.HUMAN)


def _same(a: Tree, b: Tree) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in b)
