"""Runs side by side: which differ only in their seeds, and what sets the others apart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from understudy import settings
from understudy.errors import CheckpointError, ConfigError
from understudy.report.page import FOLDER, NUMBERS
from understudy.report.return_curves import Band, Curve, Estimate, band_of, curve_of, reached
from understudy.run.folder import CONFIG, METRICS
from understudy.run.methods import METHODS, config_class
from understudy.run.metrics import read_metrics
from understudy.run.stopwatch import cpu_seconds

EVALUATED = "learned (deterministic)"
"""The evaluation in a run's report that is compared: the same kind of action for every run."""
NOT_APART = ("seed", "keep")
"""Settings that set no groups apart: the seed, and what is written down."""
MOST_SAID = 3
"""Settings that a label names."""


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """A run, as its folder tells of it.

    Attributes:
        name: As it was asked for.
        method, env, seed: From its settings.
        settings: All others by their dotted names, without those of `NOT_APART`.
        steps: How many it was to take.
        curve: What its episodes brought over steps of the environment; None if none finished, or
            nothing acted.
        evaluated: Interquartile mean of its episodes when it was evaluated with its likeliest
            actions; None if it was not.
        cost: `[n]` steps, `[n]` CPU-seconds at each; None if it noted none.
    """

    name: str
    method: str
    env: str | None
    seed: int
    settings: Mapping[str, Any]
    steps: int
    curve: Curve | None
    evaluated: float | None
    cost: tuple[Any, Any] | None

    @property
    def cpu_seconds(self) -> float | None:
        """What all of it cost."""
        return None if self.cost is None else float(self.cost[1][-1])

    def over_seconds(self) -> Ran:
        """The same with a curve over CPU-seconds.

        Raises:
            ConfigError: The run noted no time.
        """
        if self.curve is None:
            return self
        if self.cost is None:
            raise ConfigError(
                f"{self.name}: noted no time while it learned; compare by steps, or let it learn "
                "again"
            )
        return replace(self, curve=replace(self.curve, at=np.interp(self.curve.at, *self.cost)))


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Runs that differ only in their seeds.

    Attributes:
        label: What sets them apart from the others.
        runs: In the order that they were asked for.
    """

    label: str
    runs: tuple[Ran, ...]

    @property
    def curves(self) -> list[Curve]:
        """Of the runs that have one."""
        return [run.curve for run in self.runs if run.curve is not None]

    @property
    def band(self) -> Band | None:
        """Their curves together."""
        return band_of(self.curves) if self.curves else None

    @property
    def evaluated(self) -> Estimate | None:
        """What their evaluations came to; None if not all were evaluated."""
        return _estimate([run.evaluated for run in self.runs])

    @property
    def cpu_seconds(self) -> float | None:
        """The median of what they cost; None if not all noted it."""
        found = [run.cpu_seconds for run in self.runs]
        known = [x for x in found if x is not None]
        return float(np.median(known)) if len(known) == len(found) else None

    def reaching(self, goal: float) -> float:
        """The median of where runs first bring so much; those that never do count as inf."""
        return _median([reached(curve, goal) for curve in self.curves])

    def to_json(self, goal: float | None) -> dict[str, Any]:
        """All figures as JSON values."""
        band, evaluated = self.band, self.evaluated
        ends = {} if band is None else {"end": band.last.to_json(), "at": float(band.at[-1])}
        peak = {} if band is None else {"peak": float(band.middle.max())}
        goals = {} if goal is None else {"reached_at": self.reaching(goal) if band else None}
        return {
            "label": self.label,
            "method": self.runs[0].method,
            **ends,
            **peak,
            **goals,
            "evaluated": None if evaluated is None else evaluated.to_json(),
            "cpu_seconds": self.cpu_seconds,
            "runs": [_run_json(run, goal) for run in self.runs],
        }


def read_run(name: str, path: Path) -> Ran:
    """What there is to compare of a run.

    Args:
        name: As it was asked for.
        path: Its folder.

    Raises:
        ConfigError, CheckpointError: Its files are not what a run writes.
    """
    file = path / CONFIG
    method = str(settings.said(file, "method") or METHODS[0])
    config = settings.read(config_class(method), files=[file])
    apart = {k: x for k, x in settings.as_tree(config).items() if k not in NOT_APART}
    return Ran(
        name=name,
        method=config.method,
        env=config.env,
        seed=config.seed,
        settings=dict(_flat(apart)),
        steps=config.steps,
        curve=curve_of(read_metrics(path / METRICS)),
        evaluated=_evaluation(path / FOLDER / NUMBERS),
        cost=cpu_seconds(path),
    )


def grouped(runs: Sequence[Ran]) -> list[Group]:
    """Runs that differ only in their seeds together, in the order that they were asked for.

    Raises:
        ConfigError: They learned in different environments, or there is nothing to compare.
    """
    envs: dict[str, list[str]] = {}
    for run in runs:
        envs.setdefault(run.env or "no environment", []).append(run.name)
    if len(envs) > 1:
        found = "; ".join(f"{env}: {', '.join(names)}" for env, names in envs.items())
        raise ConfigError(f"returns of different environments cannot be compared ({found})")
    if silent := [run.name for run in runs if run.curve is None and run.evaluated is None]:
        raise ConfigError(
            f"{', '.join(silent)}: nothing to compare: no episode finished while it learned, and "
            "it was not evaluated (understudy learn --episodes 20)"
        )
    alike: list[list[Ran]] = []
    for run in runs:
        place = next((g for g in alike if g[0].settings == run.settings), None)
        if place is None:
            alike.append([run])
        else:
            place.append(run)
    labels = labels_of([group[0] for group in alike])
    return [Group(label, tuple(g)) for label, g in zip(labels, alike, strict=True)]


def labels_of(runs: Sequence[Ran]) -> list[str]:
    """A short name for each run by what sets it apart: the method, then settings.

    Args:
        runs: No two of the same settings.
    """
    several = len({run.method for run in runs}) > 1
    labels: list[str] = []
    for run in runs:
        rivals = [other for other in runs if other.method == run.method]
        parts = [run.method.upper()] if several or len(rivals) == 1 else []
        names = [
            n for n in run.settings if any(o.settings.get(n) != run.settings[n] for o in rivals)
        ]
        parts += [f"{name}={_word(run.settings[name])}" for name in names[:MOST_SAID]]
        more = len(names) - MOST_SAID
        parts += [f"and {more} more"] if more > 0 else []
        labels.append(" ".join(parts))
    # Where what is left out would be the difference, the runs' own names tell them apart.
    return [
        f"{label} [{run.name}]" if labels.count(label) > 1 else label
        for label, run in zip(labels, runs, strict=True)
    ]


def notes_of(groups: Sequence[Group]) -> list[str]:
    """What the reader of a comparison should know, a line each."""
    notes: list[str] = []
    for group in groups:
        seeds = [run.seed for run in group.runs]
        if same := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
            names = [run.name for run in group.runs if run.seed in same]
            notes.append(
                f"{', '.join(names)} have the same settings and the same seed: they are one run, "
                "and make the interval too narrow"
            )
        if len({run.seed for run in group.runs}) > 1 and group.band is not None:
            ends = [(curve.at[-1], run) for run in group.runs if (curve := run.curve) is not None]
            first, short = min(ends, key=lambda end: end[0])
            furthest = max(at for at, _ in ends)
            if first < 0.9 * furthest:
                notes.append(
                    f"{group.label}: goes as far as its shortest run, {short.name} "
                    f"({first:,.0f}; the others to {furthest:,.0f})"
                )
    return notes


def _estimate(values: Sequence[float | None]) -> Estimate | None:
    known = [x for x in values if x is not None]
    return Estimate.of(known) if known and len(known) == len(values) else None


def _median(values: Sequence[float]) -> float:
    """The middle value, the later one of two: inf minus inf is nothing to take a mean of."""
    return sorted(values)[len(values) // 2]


def _run_json(run: Ran, goal: float | None) -> dict[str, Any]:
    curve = run.curve
    return {
        "run": run.name,
        "seed": run.seed,
        "steps": run.steps,
        "end": None if curve is None else float(curve.returns[-1]),
        "reached_at": None if curve is None or goal is None else reached(curve, goal),
        "evaluated": run.evaluated,
        "cpu_seconds": run.cpu_seconds,
    }


def _evaluation(file: Path) -> float | None:
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_bytes())["evaluations"].get(EVALUATED)
        value = None if found is None else found["return"]["iqm"]
        return None if value is None else float(value)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{file}: damaged: not a report: {error!r}") from None


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, value


def _word(value: Any) -> str:
    """A setting's value as it is typed."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return f"[{','.join(map(_word, value))}]" if isinstance(value, list | tuple) else str(value)
