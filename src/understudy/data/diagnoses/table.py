"""Every diagnosis, in the order in which they are said, and one function that asks them all."""

from __future__ import annotations

from collections.abc import Callable

from understudy.data.diagnoses import actions, compared, episodes, imitable, rewards, values
from understudy.data.diagnoses.evidence import Evidence
from understudy.data.diagnoses.finding import Finding, Severity

Diagnosis = Callable[[Evidence], Finding | None]

DIAGNOSES: tuple[Diagnosis, ...] = (
    values.unreadable,
    values.not_finite,
    compared.other_task,
    compared.other_bounds,
    compared.frame_skip,
    compared.late_actions,
    imitable.misaligned,
    actions.outside_bounds,
    actions.scale,
    values.constant,
    values.picture_range,
    values.bytes_as_vector,
    episodes.duplicates,
    episodes.limit_as_end,
    imitable.contradictory,
    imitable.memory_needed,
    imitable.uncovered,
    imitable.held_actions,
    actions.one_action,
    actions.saturated,
    rewards.reward_sign,
    rewards.constant_rewards,
    rewards.no_rewards,
    episodes.few_episodes,
    episodes.uneven_lengths,
    episodes.worse_than_rest,
    episodes.ends_unknown,
    episodes.last_unseen,
    compared.not_reproduced,
    compared.other_versions,
    compared.below_threshold,
)
"""A function each; its name is the finding's."""


def diagnose(evidence: Evidence) -> list[Finding]:
    """What is wrong or doubtful, the wrong first.

    Example:
        >>> import numpy as np
        >>> from understudy.data.arrays import from_arrays
        >>> from understudy.data.diagnoses.evidence import gather
        >>> demos = from_arrays([np.zeros((31, 2), np.float32)], [np.arange(30) % 3])
        >>> [finding.name for finding in diagnose(gather(demos))]
        ['constant', 'no_rewards', 'few_episodes', 'ends_unknown']
    """
    found = [finding for ask in DIAGNOSES if (finding := ask(evidence)) is not None]
    return sorted(found, key=lambda finding: finding.severity is not Severity.WRONG)
