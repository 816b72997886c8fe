"""Both libraries, sync and async: each test that takes `world` runs over every pair that is installed."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
import trio

from lb_python import AsyncLoadBalancer, LoadBalancer

LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
URL = "https://caller.example/openai/deployments/gpt-4o/chat/completions?api-version=1"
RUN = {"asyncio": asyncio.run, "trio": trio.run}


class World:
    """A library and a way to call it."""

    def __init__(self, library: str, way: str) -> None:
        self.httpx: Any = importlib.import_module(library)
        self.way = way
        # The requests that arrived, as they were addressed.
        self.sent: List[Any] = []

    @property
    def hosts(self) -> List[str]:
        """Who was asked, in order."""
        return [request.url.host for request in self.sent]

    def answer(self, status: int = 200, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.httpx.Response(status, headers=named, json={})

    def balancer(self, backends: Any, answers: Any = None, **options: Any) -> Any:
        """A balancer on a transport that gives these answers by host: a status, a response, an exception to raise, or a
        function of the request."""

        def respond(request: Any) -> Any:
            self.sent.append(request)
            answer = (answers or {}).get(request.url.host, 200)
            if callable(answer) and not isinstance(answer, type):
                answer = answer(request)
            if isinstance(answer, type) or isinstance(answer, BaseException):
                raise answer("scripted") if isinstance(answer, type) else answer
            return self.answer(answer) if isinstance(answer, int) else answer

        options.setdefault("transport", self.httpx.MockTransport(respond))
        return (LoadBalancer if self.way == "sync" else AsyncLoadBalancer)(backends, **options)

    def call(self, balancer: Any, method: str = "POST", url: str = URL, **arguments: Any) -> Any:
        """Sends a request through a client of its own, and reads the answer."""
        if self.way == "sync":
            return self.httpx.Client(transport=balancer).request(method, url, **arguments)

        async def call() -> Any:
            return await self.httpx.AsyncClient(transport=balancer).request(method, url, **arguments)

        return self.run(call)

    def run(self, function: Callable[[], Any]) -> Any:
        return RUN["asyncio"](function()) if self.way == "asyncio" else trio.run(function)


@pytest.fixture(params=[(library, way) for library in LIBRARIES for way in ("sync", "asyncio", "trio")], ids="-".join)
def world(request: Any) -> World:
    return World(*request.param)


@pytest.fixture(params=LIBRARIES)
def sync_world(request: Any) -> World:
    return World(request.param, "sync")


@pytest.fixture(params=LIBRARIES)
def async_world(request: Any) -> World:
    return World(request.param, "asyncio")


class Server:
    """A server on this machine; `serve` writes the answer to each request."""

    def __init__(self, serve: Callable[[BaseHTTPRequestHandler], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # Clients that leave are what some tests are about.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    servers: List[Server] = []

    def start(serve: Callable[[BaseHTTPRequestHandler], None]) -> Server:
        servers.append(Server(serve))
        return servers[-1]

    yield start
    for one in servers:
        one.close()


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"{}", headers: Optional[Dict[str, str]] = None) -> None:
    """Writes a whole answer."""
    handler.send_response(status)
    for name, value in {"content-length": str(len(body)), "content-type": "application/json", **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def counters(balancer: Any, number: int = 0) -> Dict[str, int]:
    """What was counted at a backend, without what never happened."""
    counted = balancer.snapshot()["backends"][number]["counters"]
    assert counted["attempts"] == sum(count for name, count in counted.items() if name != "attempts")
    return {name: count for name, count in counted.items() if count and name != "attempts"}


def states(balancer: Any) -> List[str]:
    return [backend["state"] for backend in balancer.snapshot()["backends"]]
