"""The options of a balancer, and its snapshot, by name and type."""

from __future__ import annotations

from datetime import timedelta
from typing import Dict, List, Optional, Tuple, TypedDict, Union

Seconds = Union[float, timedelta]


class PoolOptions(TypedDict, total=False):
    """The options of a balancer beside its backends, all by name. Spans of time are seconds or a `timedelta`; `None` is the
    default.

    - `default_cooldown`: how long a backend cools down after a 429 without a hint; default 10 s;
    - `max_cooldown`: the longest hint that is credible; a 429 with a longer one is a strike; default 600 s;
    - `strikes`: how many requests in a row must strike a backend to make it suspect; default 2;
    - `probe_after`: how long after its last failure one request asks a suspect first, to see; default 10 s;
    - `stalled_after`: from when on an attempt that is cancelled without a head is a strike; default never. Set it below
      your timeout where that is a timer around the call, such as `asyncio.timeout`;
    - `on_status`: what is done about statuses from 400 to 499 other than 429: `"return"`, `"fail-over"` or
      `"fail-over-and-cool"`; by default 401 and 403 fail over where the backend has its own credential;
    - `fail_over_after_send`: whether a timeout or reset after the request went out fails over, and a 408: it may have been
      billed; default False;
    - `reject_html`: whether a 2xx with an HTML page fails over; default False;
    - `peek`: whether a 200 stream whose head announces a refusal is held until its first real event; default True;
    - `wait`: `(longest, queue)`: requests wait where they would be refused because backends are cooling, so long and so
      many; default none waits;
    - `deadline`: no attempt begins later than so long after the request; default never too late;
    - `fail_over_within`: a failure that comes later than this is returned if the request may have been executed;
    - `guard_stateful_paths`: whether a request whose path names something stored stays where it was sent; default False;
    - `always_synthesize`: whether exhaustion is always a 429, as in `openai_priority_loadbalancer`; default False;
    - `max_attempts`: how many attempts one request may make; default each backend once.
    """

    default_cooldown: Optional[Seconds]
    max_cooldown: Optional[Seconds]
    strikes: Optional[int]
    probe_after: Optional[Seconds]
    stalled_after: Optional[Seconds]
    on_status: Optional[Dict[int, str]]
    fail_over_after_send: Optional[bool]
    reject_html: Optional[bool]
    peek: Optional[bool]
    wait: Optional[Tuple[Seconds, int]]
    deadline: Optional[Seconds]
    fail_over_within: Optional[Seconds]
    guard_stateful_paths: Optional[bool]
    always_synthesize: Optional[bool]
    max_attempts: Optional[int]


class Counters(TypedDict):
    """What happened at a backend: attempts = successes + throttles + server_errors + faults + rejected + cancelled +
    in_flight."""

    attempts: int
    successes: int
    throttles: int
    server_errors: int
    faults: int
    rejected: int
    cancelled: int
    in_flight: int


class Failure(TypedDict):
    """Why a backend last failed: a status or a fault, what the exception said, and the request id for the vendor."""

    reason: str
    text: Optional[str]
    request_id: Optional[str]


class _BackendRequired(TypedDict):
    name: str
    priority: int
    weight: int
    origin: str
    path_prefix: str
    deployment: Optional[str]
    state: str
    strikes: int
    last_failure: Optional[Failure]
    counters: Counters


class BackendSnapshot(_BackendRequired, total=False):
    """One backend. `state` is `available`, `cooling`, `suspect` or `drained`; a cooling or suspect one has `until`,
    `remaining_ms` and `reason`."""

    until: str
    remaining_ms: int
    reason: str


class Waits(TypedDict):
    """What requests have waited."""

    waiting: int
    begun: int
    turned_away: int
    given_up: int
    waited_ms: int


class Snapshot(TypedDict):
    """What a balancer knows at one moment: moments are RFC 3339, spans milliseconds, and nothing is secret."""

    at: str
    backends: List[BackendSnapshot]
    removed: Counters
    counters: Counters
    waits: Waits
