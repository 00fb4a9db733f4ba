"""The stages of `understudy pipeline`: an expert, its demonstrations, a clone, and all compared.

Each leaves what it made in the pipeline's folder, which is the clone's run; a stage whose work is
there already has nothing to do.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt

from understudy import settings
from understudy.commands.acting_job import ActingJob
from understudy.commands.asked import kept_config
from understudy.commands.cloning_job import CloningJob
from understudy.commands.finish import film, tell, threshold
from understudy.commands.job import learn_aloud, prepare
from understudy.commands.options import count, say
from understudy.data.actor import Actor
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import Episode
from understudy.data.formats.door import load_demos
from understudy.data.formats.native import write_demos
from understudy.envs.env import Env, one
from understudy.envs.gym import GymEnv
from understudy.errors import ConfigError
from understudy.presets import as_actor, check_fit, evaluate, settings_for
from understudy.report.page import predictions, write_report
from understudy.report.progress_line import ProgressLine
from understudy.report.standing import number
from understudy.run.cloning import BCConfig
from understudy.run.evaluate import Evaluation
from understudy.run.files import is_committed, make_folders
from understudy.run.folder import CONFIG, METRICS, RunFolder, policy_of
from understudy.run.methods import config_class
from understudy.run.metrics import read_metrics
from understudy.run.policy import Policy
from understudy.run.record import InMemory, record_episodes
from understudy.run.session import Outcome
from understudy.run.stopwatch import cpu_seconds

EXPERT, DEMOS, PLAN = "expert", "demonstrations.demos", "pipeline.yaml"
TRAINED = ("ppo", "sac")
MOST_TRIES = 10
"""Times the wanted episodes that are played at most in search of those that bring enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineConfig:
    """A pipeline, whole."""

    env: str
    """Gymnasium id of the environment."""
    expert: str = "ppo"
    """Who demonstrates: `ppo` or `sac` learn it first; `scripted`; or a run."""
    expert_steps: Annotated[int, Gt(0)] | None = None
    """Steps of the environment that the expert learns for; None: what its method is tuned to."""
    demos: Annotated[int, Gt(0)] = 20
    """Episodes to demonstrate."""
    sampled: bool = False
    """Demonstrate drawn actions instead of the likeliest ones."""
    min_return: float | None = None
    """What an episode must bring to be a demonstration; None takes every episode."""
    steps: Annotated[int, Gt(0)] = 4000
    """Updates of the clone."""
    seed: Annotated[int, Ge(0)] = 0
    """Of everything that is random."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline in its folder.

    Attributes:
        plan: What was asked for.
        args: Has `quiet`, `json`, `results` and `episodes`.
        folder: The clone's run, with all that the other stages leave.
    """

    plan: PipelineConfig
    args: argparse.Namespace
    folder: RunFolder

    @property
    def expert_folder(self) -> Path:
        """The expert's run where it learned here; else it has the expert's policy alone."""
        return self.folder.path / EXPERT

    def expert(self) -> bool:
        """Stage 1: train the expert, or take it.

        Returns:
            Whether it is there; False if somebody stopped it.
        """
        plan, place = self.plan, self.expert_folder
        if plan.expert == "scripted":
            return True
        if is_committed(place / "policy"):
            say(self.args, f"{place} has learned already")
            return True
        if plan.expert not in TRAINED:
            make_folders(place)
            policy_of(plan.expert, self.args.results).save(place / "policy")
            return True
        begun = (place / CONFIG).is_file()
        config = kept_config(place) if begun else expert_config(plan)
        run = (
            RunFolder.open(self.folder.path, EXPERT, seed=plan.seed)
            if begun
            else RunFolder.create(
                self.folder.path, EXPERT, settings.to_yaml(config), seed=plan.seed
            )
        )
        job = prepare(config)
        with run:
            return not learn_aloud(job, self.args, run).interrupted

    def demonstrations(self) -> Demos:
        """Stage 2: let the expert demonstrate.

        Raises:
            ConfigError: It brings too little too often.
        """
        path = self.folder.path / DEMOS
        if path.exists():
            say(self.args, f"{path} is there already")
        else:
            with closing(GymEnv(self.plan.env, 1)) as env:
                # Written whole when all is recorded: an interruption leaves nothing by halves.
                write_demos(path, self._recorded(env))
        return load_demos(path)

    def clone(self) -> tuple[CloningJob, Outcome]:
        """Stage 3: clone the demonstrations."""
        job = CloningJob(clone_config(self.plan, self.folder.path))
        return job, learn_aloud(job, self.args, self.folder)

    def comparison(self, job: CloningJob, outcome: Outcome, demos: Demos) -> dict[str, Evaluation]:
        """Stage 4: expert, clone and chance on the same starts, and the report."""
        plan, folder = self.plan, self.folder
        clone, expert = Policy.load(folder.policy), self._expert()
        players: dict[str, tuple[Any, bool]] = {
            "learned (deterministic)": (clone, True),
            "learned (sampled)": (clone, False),
            "expert": (expert, not plan.sampled),
            "random": ("random", True),
        }
        found: dict[str, Evaluation] = {}
        for name, (who, likeliest) in players.items():
            say(self.args, f"playing {count(self.args.episodes, 'episode')}: {name}")
            found[name] = evaluate(
                who, plan.env, episodes=self.args.episodes, deterministic=likeliest
            )
        cloned, held, solved = job.cloned, job.run.split.held, threshold(plan.env)
        page = write_report(
            folder.path,
            title=f"{plan.env}, cloned from an expert",
            facts=self._facts(job, outcome, demos),
            curves=read_metrics(folder.metrics_path),
            best_step=cloned.best_step,
            offline=cloned.held_out,
            predictions=None if held is None else predictions(job.run.model, held),
            evaluations=found,
            solved=solved,
            film=film(folder, plan.env),
        )
        if plan.expert in TRAINED:
            self._report_expert(found, solved)
        tell(self.args, page, found, solved, cloned.held_out)
        return found

    def _expert(self) -> Policy | str:
        if self.plan.expert == "scripted":
            return "scripted"
        return Policy.load(self.expert_folder / "policy")

    def _recorded(self, env: Env) -> Demos:
        """Episodes that bring enough, in the order that they were played."""
        plan, expert = self.plan, self._expert()
        spec, kept = one(env.behaviors), list[Episode]()
        actor = _actor(expert, env, plan)
        line = ProgressLine(
            plan.demos, self.args.quiet or self.args.json, label="record", unit="episodes"
        )
        returns: list[float] = []

        def saw(length: int, return_: float) -> None:
            returns.append(return_)
            enough = sum(plan.min_return is None or x >= plan.min_return for x in returns)
            line.see(enough, {"return": return_, "length": length})

        try:
            while len(kept) < plan.demos:
                if len(returns) >= MOST_TRIES * plan.demos:
                    raise ConfigError(_too_bad(plan, self.expert_folder, returns))
                memory = InMemory(spec)
                # Every round has a seed of its own, or it would play the same episodes again.
                seed = plan.seed + len(returns)
                record_episodes(env, actor, plan.demos - len(kept), memory.begin, seed, saw)
                kept += [e for e in memory.episodes if _good(e, plan)]
        finally:
            line.close()
        how = "drawn" if plan.sampled else "likeliest"
        name = "scripted" if isinstance(expert, str) else f"{plan.expert}, {how} actions"
        made = Provenance(format="memory", env_id=env.env_id, versions=env.versions, actor=name)
        return Demos(spec, kept, made)

    def _facts(self, job: CloningJob, outcome: Outcome, demos: Demos) -> dict[str, str]:
        plan = self.plan
        amount = f"{count(len(demos), 'episode')}, {count(demos.num_steps, 'step')}"
        least = "" if plan.min_return is None else f", each with {number(plan.min_return)} or more"
        return {
            "environment": plan.env,
            "sees and does": job.run.spec.describe(),
            "expert": self._about_expert(),
            "demonstrations": f"{self.folder.path / DEMOS} ({amount}{least})",
            "clone": f"{outcome.steps:,} updates{_cost(self.folder.path)}",
            "seed": str(plan.seed),
            "understudy": version("understudy"),
        }

    def _about_expert(self) -> str:
        plan, place = self.plan, self.expert_folder
        if plan.expert == "scripted":
            return "scripted"
        how = "drawn actions" if plan.sampled else "likeliest actions"
        steps = Policy.load(place / "policy").facts.get("steps")
        learned = plan.expert.upper() if plan.expert in TRAINED else plan.expert
        long = "" if steps is None else f", {steps:,} steps"
        return f"{learned}{long}{_cost(place)}, {how} ({place})"

    def _report_expert(self, found: dict[str, Evaluation], solved: float | None) -> None:
        """A report of the expert's own run, of what was played already."""
        name = "learned (sampled)" if self.plan.sampled else "learned (deterministic)"
        write_report(
            self.expert_folder,
            title=f"{self.plan.env}, learned with {self.plan.expert.upper()}",
            facts={"expert of": str(self.folder.path), "seed": str(self.plan.seed)},
            curves=read_metrics(self.expert_folder / METRICS),
            evaluations={name: found["expert"], "random": found["random"]},
            solved=solved,
        )


def expert_config(plan: PipelineConfig) -> Any:
    """How the expert learns: as its method is tuned to the environment, where it is.

    Raises:
        ConfigError: It cannot be so.
    """
    tuned = settings.as_tree(settings_for(plan.expert, plan.env))
    said = {"env": plan.env, "seed": plan.seed}
    said |= {} if plan.expert_steps is None else {"steps": plan.expert_steps}
    return settings.read(config_class(plan.expert), base={**tuned, **said})


def clone_config(plan: PipelineConfig, folder: Path) -> BCConfig:
    """How the clone learns, in a pipeline's folder."""
    return BCConfig(env=plan.env, demos=(str(folder / DEMOS),), seed=plan.seed, steps=plan.steps)


def check(plan: PipelineConfig, results: Path) -> None:
    """Find out whether the expert can be had, before anything is made.

    Raises:
        ConfigError, CheckpointError, EnvError: It cannot.
    """
    if plan.expert in TRAINED:
        with closing(ActingJob(expert_config(plan)).env):
            return
    if plan.expert_steps is not None:
        raise ConfigError(f"--expert-steps: '{plan.expert}' has learned already, or need not")
    with closing(GymEnv(plan.env, 1)) as env:
        if plan.expert == "scripted":
            as_actor("scripted", env, plan.seed)
        else:
            check_fit(policy_of(plan.expert, results), env)


def _actor(expert: Policy | str, env: Env, plan: PipelineConfig) -> Actor:
    if isinstance(expert, str):
        return as_actor(expert, env, plan.seed)
    return expert.actor(plan.seed if plan.sampled else None)


def _cost(folder: Path) -> str:
    """What learning in a run's folder cost over all sessions, in words; '' if it noted nothing."""
    found = cpu_seconds(folder)
    return "" if found is None else f", {found[1][-1]:.1f} CPU-seconds"


def _good(episode: Episode, plan: PipelineConfig) -> bool:
    return plan.min_return is None or episode.return_ >= plan.min_return


def _too_bad(plan: PipelineConfig, place: Path, returns: list[float]) -> str:
    good = sum(x >= (plan.min_return or 0) for x in returns)
    mean = sum(returns) / len(returns)
    again = f"; --expert {place} takes this one" if plan.expert in TRAINED else ""
    return (
        f"{plan.env}: the expert brought {plan.min_return:g} in {good} of {len(returns):,} "
        f"episodes ({mean:.1f} on average), so {plan.demos} demonstrations are not to be had: "
        f"begin another with a better --expert, more --expert-steps or a lower --min-return{again}"
    )
