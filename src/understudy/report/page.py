"""The report of a run: a folder with a page to read, a page to look at, and all numbers.

`report.md` reads as text, `index.html` shows the same with the pictures that lie beside it, and
`report.json` has every number. Whatever is not there is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.data.action import Action
from understudy.data.demos import Rows
from understudy.errors import MissingExtraError
from understudy.nets.model import Model
from understudy.report.canvas import width_of
from understudy.report.document import (
    Block,
    Facts,
    Grid,
    Heading,
    Judgment,
    Picture,
    Words,
    html_page,
    markdown_page,
)
from understudy.report.standing import headline_of, number, stand
from understudy.report.tables import Table, evaluation_table, offline_table
from understudy.report.verdict import Verdict, judge
from understudy.run.evaluate import Evaluation
from understudy.run.files import make_folders, write_whole
from understudy.run.held_out import HeldOutReport, look_at

FOLDER, PAGE, TEXT, NUMBERS = "report", "index.html", "report.md", "report.json"
ALARMING = 0.1
"""Share of looks from which on a discriminator's alarm is worth a sentence."""
CURVES, PROGRESS, RETURNS = "curves.png", "progress.png", "returns.png"
SIGNALS = "signals.png"
LABELS = "labels.png"
CONFUSION, SCATTER = "confusion.png", "scatter.png"


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What was shown on held-out steps and what the policy does there.

    Attributes:
        shown: `[n, ...]` in the environment's units.
        done: `[n, ...]` the policy's most likely actions.
    """

    shown: Action
    done: Action


def predictions(model: Model, held: Rows) -> Predictions:
    """The most likely actions of a model on held-out rows."""
    head = look_at(model, held)[held.acted]
    return Predictions(held.action.at(held.acted), model.dist.mode(head))


def write_report(
    folder: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    curves: Sequence[Mapping[str, Any]] = (),
    best_step: int | None = None,
    offline: HeldOutReport | None = None,
    predictions: Predictions | None = None,
    evaluations: Mapping[str, Evaluation] | None = None,
    film: Path | None = None,
    solved: float | None = None,
) -> Path:
    """Write `report/` into a run folder; what an earlier report said is replaced.

    Args:
        folder: The run folder.
        title: What the run was about.
        facts: Names and values to list: demonstrations, environment, seed, steps, versions.
        curves: Lines of `metrics.jsonl`, see `learning_curves`.
        best_step: The step that was kept.
        offline: Held-out figures.
        predictions: For the picture of continuous actions.
        evaluations: By actor. Names that begin with `expert` and `random` set the scale; all others
            are learned policies.
        film: An animated picture of an episode; it is copied beside the page.
        solved: The return from which on the environment itself calls the task solved, if it says.

    Returns:
        The page to open, `report/index.html`.

    Raises:
        CheckpointError: A file cannot be written.
    """
    into, evaluations = folder / FOLDER, dict(evaluations or {})
    make_folders(into)
    found = {name: e for name, e in evaluations.items() if len(e)}
    offline_verdict = None if offline is None else judge(offline, evaluated=bool(found))
    standing = stand(found, solved)
    headline = "" if standing is None else headline_of(standing, found, solved)
    drawn = _Pictures(into)
    blocks = [
        *_judgments(standing, headline, offline_verdict),
        *_evaluated(drawn, evaluations, film),
        *_offline(drawn, offline, predictions),
        *_rounds(drawn, curves, solved),
        *_curves(drawn, curves, best_step),
        *_signals(drawn, curves),
        *_about(facts),
    ]
    if drawn.missing:
        blocks.insert(0, Words(drawn.missing))
    drawn.forget_others()
    numbers = {
        "title": title,
        "facts": dict(facts),
        "best_step": best_step,
        "verdict": _verdict_json(offline_verdict),
        "standing": _verdict_json(standing),
        "offline": None if offline is None else offline.to_json(),
        "evaluations": {name: _evaluation_json(e) for name, e in evaluations.items()},
        "curves": [dict(line) for line in curves],
        "pictures": drawn.files,
    }
    text = json.dumps(_finite(numbers), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(into / NUMBERS, (text + "\n").encode())
    write_whole(into / TEXT, markdown_page(title, blocks).encode())
    write_whole(into / PAGE, html_page(title, blocks).encode())
    return into / PAGE


class _Pictures:
    """Draws pictures into a folder, and goes without where they cannot be drawn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[str] = []
        self.missing = ""

    def draw(self, name: str, shows: str, draw: Callable[[Path], None]) -> list[Block]:
        try:
            draw(self.folder / name)
        except MissingExtraError as error:
            self.missing = f"This report has no pictures: {error}"
            return []
        self.files.append(name)
        return [Picture(name, shows, width_of(self.folder / name))]

    def copy(self, film: Path, shows: str) -> list[Block]:
        name = f"film{film.suffix}"
        if film.resolve() != (self.folder / name).resolve():
            write_whole(self.folder / name, film.read_bytes())
        self.files.append(name)
        return [Picture(name, shows)]

    def forget_others(self) -> None:
        """Remove the pictures of an earlier report that this one does not show."""
        known = {CURVES, PROGRESS, RETURNS, LABELS, CONFUSION, SCATTER, "film.webp", "film.gif"}
        for name in known - {*self.files}:
            (self.folder / name).unlink(missing_ok=True)


def _judgments(standing: Verdict | None, headline: str, offline: Verdict | None) -> list[Block]:
    blocks: list[Block] = []
    if standing is not None:
        blocks.append(Judgment("In the environment", standing, headline))
    if offline is not None:
        blocks.append(Judgment("On held-out demonstrations", offline, offline.headline))
    return blocks


def _evaluated(
    drawn: _Pictures, evaluations: Mapping[str, Evaluation], film: Path | None
) -> list[Block]:
    if not evaluations and film is None:
        return []
    blocks: list[Block] = [Heading("In the environment")]
    returns = {name: e.returns for name, e in evaluations.items() if len(e)}
    if evaluations:
        blocks.append(Grid(evaluation_table(evaluations)))
    if returns:
        from understudy.report.pictures import return_histograms

        shows = f"Returns of {', '.join(returns)}"
        blocks += drawn.draw(RETURNS, shows, lambda path: return_histograms(returns, path))
    if film is not None:
        blocks += drawn.copy(film, "Film of one episode of the learned policy")
    return blocks


def _offline(
    drawn: _Pictures, offline: HeldOutReport | None, predictions: Predictions | None
) -> list[Block]:
    if offline is None:
        return []
    from understudy.report.pictures import confusions, scatters

    blocks: list[Block] = [Heading("On held-out demonstrations"), Grid(offline_table(offline))]
    if offline.confusion and offline.steps:
        shows = "What the policy chooses against what was shown"
        blocks += drawn.draw(CONFUSION, shows, lambda path: confusions(offline.confusion, path))
    if predictions is not None and predictions.shown.continuous.size:
        shown, done = predictions.shown.continuous, predictions.done.continuous
        shows = "What the policy does against what was shown"
        blocks += drawn.draw(SCATTER, shows, lambda path: scatters(shown, done, path))
    return blocks


def _rounds(
    drawn: _Pictures, curves: Sequence[Mapping[str, Any]], solved: float | None
) -> list[Block]:
    """What labels brought, where an expert was asked."""
    from understudy.report.label_curve import draw_labels, rounds_in

    if not (rounds := rounds_in(curves)):
        return []
    lines = tuple((f"{labels:,.0f}", number(brought)) for labels, brought in rounds)
    table = Table(("labels", "return after the round"), lines)
    shows = "Return after every round against the labels that the expert has given"
    picture = drawn.draw(LABELS, shows, lambda path: draw_labels(rounds, path, solved))
    return [Heading("What was asked and what it brought"), Grid(table), *picture]


def _curves(
    drawn: _Pictures, curves: Sequence[Mapping[str, Any]], best_step: int | None
) -> list[Block]:
    from understudy.report.pictures import can_draw_curves, learning_curves
    from understudy.report.return_curves import curve_of, draw_returns

    found: list[Block] = []
    if (curve := curve_of(curves)) is not None:
        shows = "Return of the last episodes over the run"
        draw = {"The learning policy": [curve]}
        found = drawn.draw(PROGRESS, shows, lambda path: draw_returns(draw, path))
    elif can_draw_curves(curves):
        shows = "Training loss and log-likelihood of held-out actions over the run"
        found = drawn.draw(
            CURVES, shows, lambda path: learning_curves(curves, path, best_step=best_step)
        )
    return [Heading("While learning"), *found] if found else []


def _signals(drawn: _Pictures, curves: Sequence[Mapping[str, Any]]) -> list[Block]:
    """What was sought beside, or instead of, the environment's reward."""
    from understudy.report.signal_curves import alarms_in, draw_signals, rewards_in

    if not set(rewards_in(curves)) - {"extrinsic"}:
        return []
    warned = [
        Words(
            f"{name} knew its demonstrations by heart at {share:.0%} of the looks: it was right of "
            "them much more often than of those that were held out. More demonstrations, or a "
            f"higher signals.{name}.penalty, would make its reward mean more."
        )
        for name, share in alarms_in(curves).items()
        if share > ALARMING
    ]
    shows = "Mean reward of every signal, and how often discriminators are right, over the run"
    picture = drawn.draw(SIGNALS, shows, lambda path: draw_signals(curves, path))
    return [Heading("What was sought"), *warned, *picture]


def _about(facts: Mapping[str, str]) -> list[Block]:
    return [Heading("About this run"), Facts(facts)] if facts else []


def _verdict_json(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {"level": verdict.level, "sentences": list(verdict.sentences)}


def _evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    summary = evaluation.summary() if len(evaluation) else {"episodes": 0}
    return {
        **summary,
        "returns": evaluation.returns.tolist(),
        "lengths": evaluation.lengths.tolist(),
    }


def _finite(value: Any) -> Any:
    """The same as JSON knows it: numbers that are none become null."""
    if isinstance(value, Mapping):
        return {str(key): _finite(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(x) for x in value]
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
