"""DAgger as a job of `understudy learn`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from understudy.commands.finish import conclude, evaluate_all
from understudy.commands.options import count, say
from understudy.data.demos import Demos
from understudy.data.formats.door import load_demos
from understudy.envs.env import one
from understudy.interactive import asking_env, expert_of
from understudy.presets import evaluate
from understudy.run.dagger import DAgger, DAggerConfig
from understudy.run.evaluate import Evaluation
from understudy.run.folder import RunFolder
from understudy.run.session import Logs, Outcome

EXPERT = "expert"
"""What the report calls who was asked."""


class DAggerJob:
    """Ask an expert, round by round. See `Job`."""

    shows: Mapping[str, str] = {"labels": "labels", "return": "trial/return", "loss": "loss"}

    def __init__(self, config: DAggerConfig) -> None:
        """Make the environment and the run, and find the expert.

        Raises:
            ConfigError, DemoError, EnvError, CheckpointError: Something cannot be had, or does not
                fit.
        """
        self.config, self.logs = config, Logs()
        self.env = asking_env(config.env, config)
        self.spec = one(self.env.behaviors)
        self.expert = expert_of(config.expert, self.env)
        self.subject = f"{config.env} by asking {config.expert}"
        self.demos: Demos | None = None
        if config.demos:
            self.demos = load_demos(list(config.demos), spec=self.spec)
            self.subject += f", from {count(len(self.demos), 'demonstration')}"
        self.run = DAgger(self.env, self.expert, config, self.logs.note, demos=self.demos)

    def notes(self) -> Sequence[str]:
        """See `Job`."""
        asked = count(self.run.labels.total, "label")
        return [f"learned from {asked} in {count(len(self.run.labels.episodes), 'round')}"]

    def report(
        self,
        args: argparse.Namespace,
        folder: RunFolder,
        outcome: Outcome,
        against: Sequence[str],
    ) -> dict[str, Evaluation]:
        """See `Job`. Whoever was asked plays too, unless it only speaks when it wants to."""
        env_id = self.env.env_id
        self.env.close()
        evaluations = evaluate_all(args, folder, env_id, against)
        if args.episodes and "scripted" not in against and not hasattr(self.expert, "spoke"):
            say(args, f"playing {count(args.episodes, 'episode')}: {EXPERT}")
            evaluations[EXPERT] = evaluate(self.expert, env_id, episodes=args.episodes)
        title = f"{env_id}, learned with DAgger"
        conclude(args, folder, env_id, title, self._facts(outcome), evaluations)
        return evaluations

    def to_json(self) -> dict[str, Any]:
        """See `Job`."""
        labels = self.run.labels
        return {
            "labels": labels.total,
            "labels_by_round": [labels.count(r) for r in range(len(labels.episodes))],
        }

    def _facts(self, outcome: Outcome) -> dict[str, str]:
        config, labels = self.config, self.run.labels
        by_round = ", ".join(f"{labels.count(r):,}" for r in range(len(labels.episodes)))
        shown = {}
        if self.demos is not None:
            amount = f"{count(len(self.demos), 'episode')}, {count(self.demos.num_steps, 'step')}"
            shown = {"demonstrations": f"{', '.join(config.demos)} ({amount}), the first round"}
        return {
            "environment": self.env.env_id,
            "sees and does": self.spec.describe(),
            "expert": config.expert,
            **shown,
            "labels": f"{labels.total:,} ({by_round} by round)",
            "gate": config.gate.kind,
            "seed": str(config.seed),
            "updates": f"{outcome.steps:,}",
            "learning took": f"{outcome.cpu_seconds:.1f} CPU-seconds",
            "understudy": version("understudy"),
        }
