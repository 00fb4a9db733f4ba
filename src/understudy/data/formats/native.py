"""Our own demonstration files: what a person needs of them.

    with DemoWriter("demos/reach.demos", spec, Provenance(format="understudy")) as writer:
        episode = writer.begin(obs)
        episode.step(action, reward, obs)
        episode.end(End.TERMINATED)
    demos = read_demos("demos/reach.demos")

The layout and its guarantees are described in `docs/formats.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import Episode, check_episode
from understudy.data.formats import put, seal
from understudy.data.formats.container import VERSION, Database, create, one_line, recognizes
from understudy.data.formats.layout import DTYPES, Layout
from understudy.data.formats.recorder import DemoWriter, EpisodeWriter
from understudy.data.formats.seal import NO_TAIL, Row
from understudy.data.formats.stored import StoredEpisodes
from understudy.errors import DemoError

__all__ = [
    "VERSION",
    "DemoWriter",
    "EpisodeWriter",
    "StoredEpisodes",
    "read_demos",
    "recognizes",
    "write_demos",
]


def read_demos(path: str | Path) -> Demos:
    """The demonstrations in a file of ours; an episode is read when it is asked for.

    Args:
        path: The file. If its recorder was killed it is recovered first, which needs to write.

    Raises:
        DemoError: The file is not ours, damaged, newer than we are, or being recorded.
    """
    episodes = StoredEpisodes(Path(path))
    with one_line(episodes.path, "its sessions are damaged"):
        provenance = _provenance(episodes)
    return Demos(episodes.spec, episodes, provenance)


def write_demos(path: str | Path, demos: Demos, *others: Demos) -> None:
    """A new file with all these demonstrations; it appears whole or not at all.

    Args:
        path: The file; it must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.
        others: What is written after it. Every set keeps its own provenance.

    Raises:
        DemoError: The file exists, an episode does not fit the spec of the first set, or the disk
            is full.
    """
    path = Path(path)
    text = put.spec_text(demos.spec)
    layout, digest = Layout(demos.spec), seal.of_spec(text)
    sets = (demos, *others)
    sessions = [put.session(each.provenance) for each in sets]

    def fill(db: Database) -> None:
        rows: list[Row] = []
        for session, each in enumerate(sets):
            for number, episode in enumerate(each, len(rows) + 1):
                rows.append(_put_episode(db, layout, number, session, episode))
                rows[-1].digest = seal.of_episode(rows[-1], digest, NO_TAIL)
                put.insert_row(db, rows[-1])
        put.put_file(db, text, sessions, rows, closed=True)

    create(path, fill)


def _put_episode(db: Database, layout: Layout, number: int, session: int, episode: Episode) -> Row:
    """Writes an episode's chunks; returns its row, not yet sealed."""
    check_episode(episode, layout.spec, episode.label or f"episode {number}")
    if episode.reward is not None and episode.reward.dtype.name not in DTYPES:
        raise DemoError(f"episode {number}: rewards of type {episode.reward.dtype}")
    row = Row(
        id=number,
        session=session,
        seed=put.seed_text(episode.seed),
        agent=int(episode.agent),
        group=int(episode.group),
        team=int(episode.team),
        label=put.label_text(episode.label),
        info=put.json_text(dict(episode.info), "info"),
        tags=put.tags_text(episode.tags),
        end=str(episode.end),
        final_obs_known=int(episode.final_obs_known),
        length=len(episode),
        return_=put.sum_of(episode.reward),
        reward=None if episode.reward is None else episode.reward.dtype.name,
        proposed=int(episode.proposed is not None),
    )
    columns = layout.columns_of(episode)
    for first, last in layout.stored_rows(len(episode) + 1):
        part = {name: array[first:last] for name, array in columns.items()}
        put.add_chunk(db, row, last - first, layout.pack(part))
    return row


def _provenance(episodes: StoredEpisodes) -> Provenance:
    """Where the demonstrations in a file came from: all its sessions as one."""
    sessions = episodes.sessions
    notes = [note for s in sessions for note in s["notes"]]
    notes += [
        f"converted from {said['format']}: {', '.join(said['files'])}"
        for said in sessions
        if said["format"] not in ("understudy", "memory")
    ]
    return Provenance(
        format="understudy",
        files=(str(episodes.path),),
        env_id=_agreed([s["env_id"] for s in sessions]),
        versions={name: text for s in sessions for name, text in s["versions"].items()},
        actor=_agreed([s["actor"] for s in sessions], joined=True),
        alignment=_agreed([s["alignment"] for s in sessions]),
        reason=_agreed([s["reason"] for s in sessions]),
        notes=tuple(dict.fromkeys([*notes, *episodes.notes])),
    )


def _agreed(values: list[Any], *, joined: bool = False) -> Any:
    """What all sessions say; else all of it in a row, or nothing."""
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return different[0]
    return ", ".join(str(value) for value in different if value is not None) if joined else None
