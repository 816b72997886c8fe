"""What differs between httpx and httpx2, and what their requests, streams and exceptions mean."""

from __future__ import annotations

import importlib
import time
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional, Tuple
from urllib.request import getproxies, proxy_bypass

# A failed answer that will not be returned is read to its end, so that its connection is used again: up to so many bytes, and
# for so many seconds, after which a new connection is cheaper.
DRAIN_BYTES = 64 * 1024
DRAIN_SECONDS = 0.25

NAMES = ("httpx", "httpx2")


class Begun:
    """What was read of a stream: its first chunks, and the exception by which it broke, if it did."""

    def __init__(self) -> None:
        self.chunks: List[bytes] = []
        self.error: Optional[Exception] = None

    def raise_error(self) -> None:
        """Raises what the stream broke by: it is the caller's."""
        if self.error is not None:
            raise self.error


class Stack:
    """httpx or httpx2."""

    def __init__(self, name: str) -> None:
        module: Any = importlib.import_module(name)
        self.module = module
        self.Request = module.Request
        self.Response = module.Response
        self.URL = module.URL
        self.ByteStream = module.ByteStream
        # The first that fits counts. What is none of these is no fault of a backend: a full pool of connections, a request
        # that cannot be written, an exception of the request's body.
        self._faults: List[Tuple[type, str]] = [
            (module.ConnectTimeout, "connect timeout"),
            (module.ConnectError, "connect"),
            (module.ProxyError, "connect"),
            (module.PoolTimeout, "request"),
            (module.TimeoutException, "timeout"),
            (module.NetworkError, "reset"),
            (module.RemoteProtocolError, "reset"),
        ]

        class Held(module.SyncByteStream):  # type: ignore[misc]
            """A stream of which the beginning was read: that comes first."""

            def __init__(self, begun: Begun, rest: Iterator[bytes], stream: Any) -> None:
                self._begun, self._rest, self._stream = begun, rest, stream

            def __iter__(self) -> Iterator[bytes]:
                yield from self._begun.chunks
                self._begun.raise_error()
                yield from self._rest

            def close(self) -> None:
                self._stream.close()

        class AsyncHeld(module.AsyncByteStream):  # type: ignore[misc]
            """The same, async."""

            def __init__(self, begun: Begun, rest: AsyncIterator[bytes], stream: Any) -> None:
                self._begun, self._rest, self._stream = begun, rest, stream

            async def __aiter__(self) -> AsyncIterator[bytes]:
                for chunk in self._begun.chunks:
                    yield chunk
                self._begun.raise_error()
                async for chunk in self._rest:
                    yield chunk

            async def aclose(self) -> None:
                await self._stream.aclose()

        self.Held, self.AsyncHeld = Held, AsyncHeld

    def fault(self, error: Exception) -> str:
        """What kind of fault an exception of a transport is, by the core's names."""
        return next((fault for kind, fault in self._faults if isinstance(error, kind)), "request")

    def can_replay(self, stream: Any) -> bool:
        """Whether a body can be sent again: bytes, or a form whose files can be read again from their start."""
        if isinstance(stream, self.ByteStream):
            return True
        if type(stream).__name__ != "MultipartStream":
            return False
        files = (getattr(field, "file", b"") for field in getattr(stream, "fields", (None,)))
        return all(isinstance(file, (str, bytes)) or _is_seekable(file) for file in files)


def _is_seekable(file: Any) -> bool:
    try:
        return bool(file.seekable())
    except Exception:
        return False


_stacks: Dict[type, Stack] = {}
_by_name: Dict[str, Stack] = {}


def stack_of(request: Any) -> Stack:
    """The stack that a request is of."""
    kind = type(request)
    stack = _stacks.get(kind)
    if stack is None:
        modules = (base.__module__.partition(".")[0] for base in kind.__mro__)
        name = next((module for module in modules if module in NAMES), None)
        if name is None:
            raise TypeError(f"a request of httpx or httpx2 is expected, and this is a {kind.__module__}.{kind.__name__}")
        stack = _stacks[kind] = _by_name.setdefault(name, _by_name.get(name) or Stack(name))
    return stack


def proxy_for(origin: str, host: str) -> Optional[str]:
    """The proxy that the environment names for a backend, as clients of httpx see it, which a client with a transport of
    its own does not look for."""
    if proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(origin.partition("://")[0]) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def drain_soon(addressed: Any) -> float:
    """Lets no read of a failed answer take longer than it is worth; gives the moment when that is over."""
    timeout = addressed.extensions.get("timeout") or {}
    read = timeout.get("read")
    short = DRAIN_SECONDS if read is None else min(read, DRAIN_SECONDS)
    addressed.extensions["timeout"] = {**timeout, "read": short}
    return time.monotonic() + DRAIN_SECONDS


def is_large(response: Any) -> bool:
    """Whether a failed answer says that it is longer than its connection is worth."""
    length: str = response.headers.get("content-length", "0")
    return not length.isdigit() or int(length) > DRAIN_BYTES
