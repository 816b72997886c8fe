"""What requests wish that are sent by an SDK, which has no place for it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, Optional

from ._core import Wishes

current: ContextVar[Optional[Wishes]] = ContextVar("lb_python_wishes", default=None)


@contextmanager
def wishing(wishes: Wishes) -> Iterator[None]:
    """Every request that is sent inside has these wishes, unless it has its own in `extensions["lb_python"]`.

    It holds for this thread or task, and for the tasks that it starts inside.
    """
    token = current.set(wishes)
    try:
        yield
    finally:
        current.reset(token)
