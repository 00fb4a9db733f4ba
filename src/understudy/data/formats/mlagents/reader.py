"""Reading demonstrations of Unity ML-Agents (`.demo`).

A file is metadata, brain parameters and records, each a protobuf message behind its length. Record
`k` holds what was seen, what was received on arriving there, and an action - which one, depends on
who wrote the file. The recorder in Unity writes the action that *led to* the record, so what was
done at record `k` stands in record `k + 1` (`next_record`); files that Unity converted by script in
2020 have it in record `k` itself (`same_record`). ML-Agents' own loader always takes the latter and
so learns from its own recordings what was done one decision ago.
"""

from __future__ import annotations

import os
from typing import Literal

from understudy.data.demos import Demos, Provenance
from understudy.data.formats.mlagents.file import BRAIN_AT, Recording
from understudy.data.formats.mlagents.messages import read_metadata
from understudy.data.formats.mlagents.table import Table
from understudy.data.formats.wire import WireError
from understudy.errors import DemoError

Alignment = Literal["auto", "next_record", "same_record"]
ALIGNMENTS = ("auto", "next_record", "same_record")


def recognizes(head: bytes) -> bool:
    """Whether a file that starts like this is an ML-Agents demonstration.

    There is no magic number: metadata that can be read and names itself or its version, then zeros
    up to the brain parameters.
    """
    if len(head) <= BRAIN_AT or not 2 <= head[0] < 128:
        return False
    try:
        meta = read_metadata(head[1 : 1 + head[0]])
    except WireError:
        return False
    if head[0] >= BRAIN_AT:  # a name that is too long; the reader says so
        return bool(meta.name) and meta.api_version == 1
    named = bool(meta.name) or meta.api_version == 1
    return named and not head[1 + head[0] : BRAIN_AT].strip(b"\0")


def read(path: str | os.PathLike[str], *, alignment: Alignment = "auto") -> Demos:
    """The demonstrations in an ML-Agents file.

    Args:
        path: The file.
        alignment: Which record holds the action taken at record `k`: `next_record`, `same_record`,
            or `auto` to find out (the provenance says what was chosen and why).

    Raises:
        DemoError: The file is damaged, hostile or not supported.
    """
    if alignment not in ALIGNMENTS:
        raise DemoError(f"alignment={alignment!r}: expected one of {', '.join(ALIGNMENTS)}")
    with open(path, "rb") as file:
        recording = Recording(path, file)
        table = Table.of_recording(recording)
    chosen, reason = _choose(recording, table) if alignment == "auto" else (alignment, "asked for")
    found = table.spec()
    episodes, notes = table.episodes(chosen, found)
    return Demos(
        found,
        episodes,
        Provenance(
            format="mlagents",
            files=(os.fspath(path),),
            versions={"demonstration api": str(recording.metadata.api_version)},
            alignment=chosen,
            reason=reason,
            notes=(*recording.notes, *notes),
        ),
    )


def _choose(recording: Recording, table: Table) -> tuple[str, str]:
    if recording.trailing_copy:
        return "next_record", (
            "the file ends with a copy of its metadata, as the recorder in Unity leaves it, and "
            "that recorder writes each action into the record after it"
        )
    if recording.unclosed:
        return "next_record", (
            "its recorder was stopped before it could write the number of steps, and that recorder "
            "writes each action into the record after it"
        )
    if table.new_fields:
        return "next_record", (
            "it has the action fields of 2021 and later, which only the recorder in Unity writes, "
            "and that recorder writes each action into the record after it"
        )
    return "same_record", (
        "old action fields and no copy of the metadata at the end: Unity converted this file by "
        "script, which put each action into the record it was taken at"
    )
