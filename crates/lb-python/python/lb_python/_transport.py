"""The balancers: transports for the clients of httpx and httpx2."""

from __future__ import annotations

import inspect
import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple, cast

from ._core import Backend, Peek, Pool
from ._dispatch import DISCARD, PEEK, SEND, SLEEP, TOKEN, Route, Serving, dispatch
from ._options import PoolOptions, Seconds, Snapshot
from ._stack import DRAIN_BYTES, Begun, Stack, drain_soon, is_large, proxy_for, stack_of

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    # Whichever of the two is not there is anything to a type checker.
    import httpx
    import httpx2

    class _SyncBase(httpx.BaseTransport, httpx2.BaseTransport):
        def handle_request(self, request: Any) -> Any: ...

    class _AsyncBase(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: Any) -> Any: ...
else:
    _SyncBase = _AsyncBase = object

LOGGER = logging.getLogger("lb_python")
# Who has not set up logging gets no warnings on standard error.
LOGGER.addHandler(logging.NullHandler())


class _Balancer:
    """What both balancers have: the backends, what is known about them, and the transports under them."""

    _kind = ""

    def __init__(
        self, backends: Iterable[Backend], transport: Any, trust_env: bool, options: PoolOptions
    ) -> None:
        self._given, self._trust_env = transport, trust_env
        # One replacement at a time. Requests take no lock, which a fork in another thread's hands would leave locked.
        self._replacing = threading.RLock()
        # By stack and proxy. They are made by the first request: a process that forks before has opened nothing.
        self._transports: Dict[Tuple[Stack, Optional[str]], Any] = {}
        self._serving = Serving(Pool(self._checked(backends), LOGGER, **options))

    def _checked(self, backends: Iterable[Backend]) -> List[Backend]:
        return list(backends)

    def _routes(self, serving: Serving, stack: Stack) -> List[Route]:
        routes = [Route(backend, self._transport(stack, backend)) for backend in serving.pool.backends]
        return serving.routes.setdefault(stack, routes)

    def _transport(self, stack: Stack, backend: Backend) -> Any:
        if self._given is not None:
            return self._given
        proxy = proxy_for(backend.origin, backend.host) if self._trust_env else None
        transport = self._transports.get((stack, proxy))
        if transport is None:
            made = getattr(stack.module, self._kind)(proxy=proxy, trust_env=self._trust_env)
            # Of two threads that come first, one is left with a transport that has opened nothing.
            transport = self._transports.setdefault((stack, proxy), made)
        return transport

    def _all_transports(self) -> List[Any]:
        return [self._given] if self._given is not None else list(self._transports.values())

    @property
    def backends(self) -> List[Backend]:
        """The backends, sorted by priority."""
        return self._serving.pool.backends

    def snapshot(self) -> Snapshot:
        """The state of every backend, until when and why, and what happened at it so far."""
        return cast(Snapshot, json.loads(self._serving.pool.snapshot()))

    def replace(self, backends: Iterable[Backend], **options: Unpack[PoolOptions]) -> None:
        """Puts other backends and options in the place of these, while requests run. What is known about a backend stays with
        it as long as its name and endpoint do. Options that are not given have their defaults."""
        checked = self._checked(backends)
        with self._replacing:
            self._serving = Serving(self._serving.pool.replace(checked, **options))

    def drain(self, name: str) -> bool:
        """Takes a backend out until it is reopened. Gives False if there is none of this name, or it was drained already."""
        return self._serving.pool.drain(name)

    def reopen(self, name: str) -> bool:
        """Puts a drained backend back. Gives False if there is none of this name, or it was not drained."""
        return self._serving.pool.reopen(name)

    def cool(self, name: str, duration: Seconds) -> bool:
        """Takes a backend out for so long. Gives False if there is none of this name, or it is out for as long anyway."""
        return self._serving.pool.cool(name, duration)

    def end_cooldown(self, name: str) -> bool:
        """Ends a backend's cooldown. Gives False if there is none of this name, or it is not cooling."""
        return self._serving.pool.end_cooldown(name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(backend.name for backend in self.backends)}>"


class LoadBalancer(_Balancer, _SyncBase):
    """A load balancer as the transport of a sync client: `httpx.Client(transport=LoadBalancer(backends))`.

    - `backends`: at least one `Backend`;
    - `transport`: what sends the requests in the end, such as `httpx.HTTPTransport(http2=True)`; by default one of the
      client's own library, with its defaults, made by the first request;
    - `trust_env`: whether that default goes through the proxies that the environment names;
    - and the options of `PoolOptions`.

    Responses are streamed as they come. Any number of threads may use it at once. Raises `ValueError` if anything is invalid.
    """

    _kind = "HTTPTransport"

    def __init__(
        self,
        backends: Iterable[Backend],
        *,
        transport: Any = None,
        trust_env: bool = True,
        **options: Unpack[PoolOptions],
    ) -> None:
        super().__init__(backends, transport, trust_env, options)

    def _checked(self, backends: Iterable[Backend]) -> List[Backend]:
        checked = list(backends)
        for backend in checked:
            if inspect.iscoroutinefunction(backend.token_provider):
                raise ValueError(f"the token provider of {backend.name} is async; AsyncLoadBalancer takes such")
        return checked

    def handle_request(self, request: Any) -> Any:
        """Sends a request to the best backend that is available; what clients call."""
        steps = dispatch(self, stack_of(request), request)
        try:
            verb, what = next(steps)
            while True:
                try:
                    result: Any = None
                    if verb == SEND:
                        result = what[0].handle_request(what[1])
                    elif verb == TOKEN:
                        result = _token(what())
                    elif verb == DISCARD:
                        _discard(*what)
                    elif verb == PEEK:
                        result = _peek(stack_of(request), what)
                    elif verb == SLEEP:
                        time.sleep(what)
                except BaseException as error:
                    verb, what = steps.throw(error)
                else:
                    verb, what = steps.send(result)
        except StopIteration as done:
            return done.value

    def close(self) -> None:
        """Closes the connections."""
        for transport in self._all_transports():
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: Any = None, exc_value: Any = None, traceback: Any = None) -> None:
        self.close()


class AsyncLoadBalancer(_Balancer, _AsyncBase):
    """A load balancer as the transport of an async client: `httpx.AsyncClient(transport=AsyncLoadBalancer(backends))`.

    Its arguments are those of `LoadBalancer`; `transport` is an async one. It runs under asyncio and under trio, as the client
    does. A cancelled request blames no backend.
    """

    _kind = "AsyncHTTPTransport"

    def __init__(
        self,
        backends: Iterable[Backend],
        *,
        transport: Any = None,
        trust_env: bool = True,
        **options: Unpack[PoolOptions],
    ) -> None:
        super().__init__(backends, transport, trust_env, options)

    async def handle_async_request(self, request: Any) -> Any:
        """Sends a request to the best backend that is available; what clients call."""
        steps = dispatch(self, stack_of(request), request)
        try:
            verb, what = next(steps)
            while True:
                try:
                    result: Any = None
                    if verb == SEND:
                        result = await what[0].handle_async_request(what[1])
                    elif verb == TOKEN:
                        result = what()
                        result = _token(await result if inspect.isawaitable(result) else result)
                    elif verb == DISCARD:
                        await _adiscard(*what)
                    elif verb == PEEK:
                        result = await _apeek(stack_of(request), what)
                    elif verb == SLEEP:
                        await _sleep(what)
                except BaseException as error:
                    verb, what = steps.throw(error)
                else:
                    verb, what = steps.send(result)
        except StopIteration as done:
            return done.value

    async def aclose(self) -> None:
        """Closes the connections."""
        for transport in self._all_transports():
            await transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exc_type: Any = None, exc_value: Any = None, traceback: Any = None) -> None:
        await self.aclose()


def _token(token: Any) -> str:
    if inspect.iscoroutine(token):
        token.close()
    if not isinstance(token, str):
        # Not what it is instead: that may be a secret of another type.
        raise TypeError("a token provider gives text, and something to await only under AsyncLoadBalancer")
    return token


async def _sleep(seconds: float) -> None:
    # Both libraries stand on it, and it knows whether this is asyncio or trio.
    import anyio

    await anyio.sleep(seconds)


def _discard(response: Any, addressed: Any) -> None:
    """Ends an answer that will not be returned, so that its connection can be used again if that is cheap."""
    try:
        if not is_large(response):
            ends_at, read = drain_soon(addressed), 0
            for chunk in response.stream:
                read += len(chunk)
                if read > DRAIN_BYTES or time.monotonic() > ends_at:
                    break
    except Exception:
        LOGGER.debug("an answer that failed broke off", exc_info=True)
    finally:
        response.close()


async def _adiscard(response: Any, addressed: Any) -> None:
    try:
        if not is_large(response):
            ends_at, read = drain_soon(addressed), 0
            async for chunk in response.stream:
                read += len(chunk)
                if read > DRAIN_BYTES or time.monotonic() > ends_at:
                    break
    except Exception:
        LOGGER.debug("an answer that failed broke off", exc_info=True)
    finally:
        await response.aclose()


def _peek(stack: Stack, response: Any) -> Peek:
    """Reads the beginning of a stream, as far as it says nothing yet; the response has it still."""
    peek, begun = Peek(), Begun()
    rest = iter(response.stream)
    try:
        for chunk in rest:
            begun.chunks.append(chunk)
            if peek.feed(chunk):
                break
        else:
            peek.end()
    except Exception as error:
        begun.error = error
    response.stream = stack.Held(begun, rest, response.stream)
    return peek


async def _apeek(stack: Stack, response: Any) -> Peek:
    peek, begun = Peek(), Begun()
    rest = response.stream.__aiter__()
    try:
        async for chunk in rest:
            begun.chunks.append(chunk)
            if peek.feed(chunk):
                break
        else:
            peek.end()
    except Exception as error:
        begun.error = error
    response.stream = stack.AsyncHeld(begun, rest, response.stream)
    return peek
