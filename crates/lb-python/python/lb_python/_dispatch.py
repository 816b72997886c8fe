"""The loop over one request's attempts: written once, driven by the sync and by the async transport."""

from __future__ import annotations

from typing import Any, Dict, Generator, List, NamedTuple, Optional, Tuple

from ._core import Backend, Pool, Walk
from ._stack import Stack
from ._wishing import current

# What the loop asks its driver for: to send a request, to call a token provider, to discard an answer, to look into the
# beginning of a stream, and to sleep.
SEND, TOKEN, DISCARD, PEEK, SLEEP = range(5)

# Who waits looks so often whether an operator has done something.
LOOKS_UP_AFTER = 1.0

# Paths that are kept addressed. SDKs ask for a handful; ids in paths must not fill the memory.
MAX_PATHS = 256

Steps = Generator[Tuple[int, Any], Any, Any]


class Served(NamedTuple):
    """Who served a response: in its `extensions["lb_python"]`."""

    backend: str
    """The name of the backend."""
    attempts: int
    """How many attempts the request made, this one included."""
    waited: float
    """How many seconds the request waited for backends to come back."""
    trail: Tuple[Tuple[str, str], ...]
    """The attempts before: each a backend's name, and a status or a fault."""


class CredentialError(Exception):
    """No credential could be had for a backend, and no other backend was left. What its token provider raised is the cause."""


class Route:
    """The way to one backend under one stack."""

    __slots__ = ("backend", "name", "origin", "provider", "has_models", "transport", "paths")

    def __init__(self, backend: Backend, transport: Any) -> None:
        self.backend, self.transport = backend, transport
        self.name, self.origin = backend.name, backend.origin
        self.provider, self.has_models = backend.token_provider, backend.has_models
        self.paths: Dict[bytes, Tuple[Any, bool]] = {}

    def path(self, stack: Stack, walk: Walk, original: bytes) -> Tuple[Any, bool]:
        """The URL at this backend, and whether the request stays here because of its path."""
        known = self.paths.get(original)
        if known is None:
            path, is_guarded = walk.path(original.decode("ascii"))
            known = stack.URL(self.origin + path), is_guarded
            if len(self.paths) >= MAX_PATHS:
                self.paths.clear()
            self.paths[original] = known
        return known


class Serving:
    """The pool that serves requests now, with the ways to its backends by stack."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.routes: Dict[Stack, List[Route]] = {}


def address(stack: Stack, route: Route, walk: Walk, request: Any, url: Any, token: Optional[str]) -> Any:
    """A copy of the caller's request for a backend; the original is never changed."""
    stream, length = request.stream, None
    if route.has_models and isinstance(stream, stack.ByteStream):
        path = request.url.raw_path.decode("ascii")
        body = walk.body(path, request.headers.get("content-type"), b"".join(stream))
        if body is not None:
            stream, length = stack.ByteStream(body), len(body)
    headers = walk.headers(request.headers.raw, token, length)
    return stack.Request(request.method, url, headers=headers, stream=stream, extensions=request.extensions)


def dispatch(balancer: Any, stack: Stack, request: Any) -> Steps:
    """Sends one request: yields what is to be done, takes what came of it, and returns the response."""
    wishes = request.extensions.get("lb_python") or current.get()
    is_pinned = wishes is not None and wishes.is_pinned
    serving: Serving = balancer._serving
    routes = serving.routes.get(stack) or balancer._routes(serving, stack)
    walk = serving.pool.walk(wishes)
    can_replay = stack.can_replay(request.stream)
    trail: Tuple[Tuple[str, str], ...] = ()
    # The last answer with the request that it is to, or the last exception.
    last: Optional[Tuple[Any, Any]] = None
    error: Optional[Exception] = None
    try:
        while True:
            step = walk.next()
            if not isinstance(step, int):
                if isinstance(step, float):
                    if last is not None:
                        yield DISCARD, last
                    last = error = None
                    yield SLEEP, min(step, LOOKS_UP_AFTER)
                    if balancer._serving is not serving:
                        serving = balancer._serving
                        routes = serving.routes.get(stack) or balancer._routes(serving, stack)
                        walk.go_on(serving.pool)
                    continue
                if step.returns_last and last is not None:
                    return last[0]
                if step.returns_last and error is not None:
                    raise error
                if last is not None:
                    yield DISCARD, last
                response = stack.Response(step.status, headers=step.headers, content=step.body)
                response.extensions["lb_python"] = step
                return response
            if last is not None:
                discarded, last = last, None
                yield DISCARD, discarded
            error = None
            route = routes[step]
            url, is_guarded = route.path(stack, walk, request.url.raw_path)
            try:
                token = None if route.provider is None else (yield TOKEN, route.provider)
                addressed = address(stack, route, walk, request, url, token)
            except Exception as cause:
                if route.provider is None:
                    raise
                error = CredentialError(f"no credential for backend {route.name}; check its token provider")
                error.__cause__ = cause
                trail += ((route.name, "credential"),)
                # Its kind only: what it says may quote the token.
                walk.faulted("credential", type(cause).__name__)
                continue
            stays = is_guarded and not is_pinned
            try:
                response = yield SEND, (route.transport, addressed)
            except Exception as raised:
                fault = stack.fault(raised)
                if not walk.faulted(fault, str(raised) or type(raised).__name__):
                    raise
                if stays or not can_replay:
                    walk.cannot_repeat(can_replay)
                    raise
                error = raised
                trail += ((route.name, fault),)
                continue
            peek = None
            if response.status_code == 200 and serving.pool.peeks and walk.announces_refusal(response):
                peek = yield PEEK, response
            fails_over = walk.answered(response, peek)
            if fails_over and (stays or not can_replay):
                walk.cannot_repeat(can_replay)
                fails_over = False
            if not fails_over:
                response.extensions["lb_python"] = Served(route.name, walk.attempts, walk.waited, trail)
                return response
            last = response, addressed
            trail += ((route.name, str(response.status_code)),)
    finally:
        walk.close()
        # An exception holds this frame, and must not be held by it.
        error = None
