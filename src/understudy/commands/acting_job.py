"""Reinforcement learning as a job of `understudy learn`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from understudy.commands.finish import conclude, evaluate_all, shown_in
from understudy.commands.options import count
from understudy.data.demos import Demos
from understudy.data.formats.door import load_demos
from understudy.presets import acting_env
from understudy.run.evaluate import Evaluation
from understudy.run.folder import RunFolder
from understudy.run.methods import make_run
from understudy.run.session import Logs, Outcome


class ActingJob:
    """Learn by acting, with or without demonstrations. See `Job`."""

    shows: Mapping[str, str] = {"return": "return", "loss": "loss", "entropy": "entropy"}

    def __init__(self, config: Any) -> None:
        """Make the environment and the run.

        Args:
            config: One of the classes in `understudy.run.methods` that have an environment.

        Raises:
            ConfigError, DemoError, EnvError: Something cannot be had, or does not fit.
        """
        self.config, self.logs = config, Logs()
        self.env = acting_env(config.env, config)
        self.spec = next(iter(self.env.behaviors.values()))
        self.demos: Demos | None = None
        self.subject = f"{config.env} with {config.method}"
        if config.demos:
            self.demos = load_demos(list(config.demos), spec=self.spec)
            self.subject += f" and {count(len(self.demos), 'demonstration')}"
        self.run = make_run(self.env, config, self.logs.note, demos=self.demos)

    def notes(self) -> Sequence[str]:
        """See `Job`."""
        return [note for note in [self.run.note] if note]

    def report(
        self,
        args: argparse.Namespace,
        folder: RunFolder,
        outcome: Outcome,
        against: Sequence[str],
    ) -> dict[str, Evaluation]:
        """See `Job`."""
        env_id = self.env.env_id
        self.env.close()
        evaluations = evaluate_all(args, folder, env_id, against)
        if self.demos is not None and "scripted" not in against:
            evaluations |= shown_in(self.demos, env_id, evaluations)
        title = f"{env_id}, learned with {self.config.method.upper()}"
        conclude(args, folder, env_id, title, self._facts(outcome), evaluations)
        return evaluations

    def to_json(self) -> dict[str, Any]:
        """See `Job`."""
        returns = self.run.returns
        return {
            "return": returns.value,
            "best_return": returns.best,
            "best_step": returns.best_step,
            "training_episodes": returns.num_episodes,
        }

    def _facts(self, outcome: Outcome) -> dict[str, str]:
        config, demos = self.config, self.demos
        shown = {}
        if demos is not None:
            amount = f"{count(len(demos), 'episode')}, {count(demos.num_steps, 'step')}"
            shown = {"demonstrations": f"{', '.join(config.demos)} ({amount})"}
        return {
            "environment": self.env.env_id,
            "sees and does": self.spec.describe(),
            **shown,
            "seed": str(config.seed),
            "steps": f"{outcome.steps:,} in {count(self.run.returns.num_episodes, 'episode')}, "
            f"{count(config.slots, 'environment')} side by side",
            **self._gap(),
            "learning took": f"{outcome.cpu_seconds:.1f} CPU-seconds",
            "understudy": version("understudy"),
        }

    def _gap(self) -> dict[str, str]:
        """How the end of learning compares with its best moment, while actions were drawn."""
        returns = self.run.returns
        if returns.best is None or returns.value is None:
            return {}
        said = (
            f"{returns.value:.4g} over the last {len(returns.last)} episodes; at best "
            f"{returns.best:.4g}, at step {returns.best_step:,}"
        )
        return {"while it learned": said}
