"""Starting worker processes that know nothing of this one but what they are told.

A spawned process imports the program's main module, which runs a script a second time unless all
it does stands under `if __name__ == "__main__"`. Workers need that only where what they are told
was defined there. So the main module is hidden from them otherwise, and nothing has to be guarded.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from types import ModuleType
from typing import Any

from understudy.errors import EnvError

CONTEXT = get_context("spawn")
GUARD = (
    "what makes it is defined in the program itself, which every worker imports anew: put what "
    'the program does under `if __name__ == "__main__":`, or what makes it into a module'
)
# Several workers with several threads each would fight for the cores.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_STARTING = threading.RLock()


def needs_main(what: Any) -> bool:
    """Whether this can be sent to another process only together with the main module.

    Raises:
        EnvError: It cannot be sent at all, or the main module is an interactive session, which
            nobody can import.
    """
    with _STARTING, _main_hidden():
        alone = _failure(what) is None
    if alone:
        return False
    if failure := _failure(what):
        raise EnvError(
            f"it cannot be sent to a worker process ({failure}); workers need an id, or a function "
            "or class that stands in a module"
        )
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is None and not hasattr(main, "__file__"):
        raise EnvError(
            "what makes it is defined in an interactive session, which a worker process cannot "
            "import; put it into a module"
        )
    return True


def start(target: Callable[..., None], told: tuple[Any, ...], *, main: bool) -> Any:
    """A new process with one thread for numerics; it ends with this one at the latest.

    Args:
        target: What it does.
        told: The arguments.
        main: Whether it imports the main module; see `needs_main`.

    Returns:
        The `multiprocessing` process.
    """
    process = CONTEXT.Process(target=target, args=told, daemon=True)
    with _STARTING, _one_thread():
        if main:
            process.start()
        else:
            with _main_hidden():
                process.start()
    return process


def listener(pipe: Any, sentinel: int) -> Callable[[], bool]:
    """Waits until something comes over a pipe, or the process at its other end has ended.

    Others may have inherited that end and keep it open, so its end alone does not tell.

    Args:
        pipe: A `multiprocessing` connection.
        sentinel: Of the process at the other end.

    Returns:
        A function that says whether there is something to receive, which may be that it was closed.
    """
    if not hasattr(select, "poll"):
        return lambda: pipe in wait([pipe, sentinel])
    # Registered once: `pipe.poll` and `wait` do so at every call, which takes 20 us.
    both, number = select.poll(), pipe.fileno()
    for place in (number, sentinel):
        both.register(place, select.POLLIN)
    return lambda: any(place == number for place, _ in both.poll())


def _failure(what: Any) -> str | None:
    try:
        ForkingPickler.dumps(what)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


@contextmanager
def _main_hidden() -> Iterator[None]:
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
