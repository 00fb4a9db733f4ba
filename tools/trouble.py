"""What can go wrong in a set-up, in sentences for the person who can mend it.

Like `setup.py`, it parses under Python 3.8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOM_NEEDED = "about 1.5 GB in this folder, several more with the GPU libraries of torch"
ROOM_FOR_PIP_BYTES = 50_000_000

DISK_FULL = re.compile(r"No space left on device|not enough space on the disk|Disk quota exceeded")
NO_NETWORK = re.compile(
    r"name resolution|Name or service not known|getaddrinfo failed|nodename nor servname"
    r"|NewConnectionError|Network is unreachable|Connection refused|ConnectionResetError"
    r"|Connection aborted|ConnectTimeoutError|ReadTimeoutError|Read timed out|ProxyError"
    r"|Max retries exceeded|SSLError|CERTIFICATE_VERIFY_FAILED|50[0-9] Server Error"
)
NOT_ALLOWED = re.compile(r"Permission denied|Read-only file system|Access is denied")


class SetupError(Exception):
    """A failure that the user can mend; its message is one or two sentences."""


def raise_known(text: str) -> None:
    """Raises the sentence for a failure that pip's words tell, if they tell one."""
    if DISK_FULL.search(text):
        raise SetupError(disk_full())
    if NO_NETWORK.search(text):
        raise SetupError(
            "the package registry cannot be reached. Check the network (and, where there is one, "
            "the proxy or pip's own settings), then run this again; it goes on where it stopped."
        )
    denied = NOT_ALLOWED.search(text)
    if denied:
        raise SetupError(f"pip was not allowed to write ({denied.group(0)}) into .venv.")


def disk_full() -> str:
    """The sentence for a disk that is full."""
    return f"the disk is full: set-up needs {ROOM_NEEDED}. Make room and run this again."


def unknown_failure(log: Path, text: str) -> str:
    """What pip itself said was wrong, and where the rest is."""
    errors = [line.strip() for line in text.splitlines() if line.startswith("ERROR:")]
    said = "\n  ".join(errors[-4:] or text.strip().splitlines()[-4:])
    return f"pip failed:\n  {said}\nAll that it said is in {log}."
