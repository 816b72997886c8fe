"""Bodies, over real sockets: answers come as they are sent, and what can be read once is sent once."""

from __future__ import annotations

import threading
from typing import Any, List

import pytest
from conftest import counters, reply, states

from lb_python import Backend

# Nothing waits so long unless it is broken.
LONG = 20.0


def chunk(handler: Any, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.flush()


def begin_stream(handler: Any, **headers: str) -> None:
    handler.send_response(200)
    named = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    named.update({name.replace("_", "-"): value for name, value in headers.items()})
    for name, value in named.items():
        handler.send_header(name, value)
    handler.end_headers()


def read(world: Any, balancer: Any, seen: Any) -> bytes:
    """Reads a streamed answer chunk by chunk, and says so after each."""
    whole = b""
    if world.way == "sync":
        with world.httpx.Client(transport=balancer, timeout=LONG) as client, client.stream("POST", "http://caller.example/x") as r:
            for part in r.iter_raw():
                whole += part
                seen(part)
        return whole

    async def go() -> bytes:
        whole = b""
        async with world.httpx.AsyncClient(transport=balancer, timeout=LONG) as client:
            async with client.stream("POST", "http://caller.example/x") as response:
                async for part in response.aiter_raw():
                    whole += part
                    seen(part)
        return whole

    return world.run(go)  # type: ignore[no-any-return]


def test_a_chunk_is_here_before_the_next_is_sent(world: Any, server: Any) -> None:
    has_first, parts = threading.Event(), []  # type: ignore[var-annotated]

    def serve(handler: Any) -> None:
        begin_stream(handler)
        chunk(handler, b"data: 1\n\n")
        # The second is sent when the first was read: who gathers the whole body first waits here for ever.
        parts.append(has_first.wait(LONG))
        chunk(handler, b"data: 2\n\n")
        handler.wfile.write(b"0\r\n\r\n")

    throttled = server(lambda handler: reply(handler, 429, headers={"retry-after": "9"}))
    balancer = world.balancer([Backend(throttled.origin, 1), Backend(server(serve).origin, 2)], transport=None)
    assert read(world, balancer, lambda _: has_first.set()) == b"data: 1\n\ndata: 2\n\n"
    assert parts == [True]


@pytest.mark.parametrize("peek", [True, False])
def test_a_stream_that_refuses_fails_over_if_its_head_announces_it(world: Any, server: Any, peek: bool) -> None:
    refusal = b'data: {"error":{"code":"rate_limit_exceeded","message":"x"}}\n\n'

    def refuse(handler: Any) -> None:
        begin_stream(handler, retry_after="7")
        chunk(handler, refusal)
        handler.wfile.write(b"0\r\n\r\n")

    def serve(handler: Any) -> None:
        # Its head announces one, and the stream is an answer all the same: nothing of it is lost.
        begin_stream(handler, x_ratelimit_remaining_requests="0")
        chunk(handler, b'data: {"choices":[]}\n\n')
        chunk(handler, b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n')
        chunk(handler, b"data: [DONE]\n\n")
        handler.wfile.write(b"0\r\n\r\n")

    backends = [Backend(server(refuse).origin, 1), Backend(server(serve).origin, 2)]
    balancer = world.balancer(backends, transport=None, peek=peek)
    whole = read(world, balancer, lambda _: None)
    if peek:
        assert whole.startswith(b'data: {"choices":[]}') and b"hello" in whole and whole.endswith(b"[DONE]\n\n")
        assert states(balancer) == ["cooling", "available"]
        assert counters(balancer) == {"throttles": 1}
    else:
        assert whole == refusal and counters(balancer) == {"successes": 1}


def test_a_stream_that_breaks_while_it_is_looked_into_breaks_for_the_caller(world: Any, server: Any) -> None:
    def serve(handler: Any) -> None:
        begin_stream(handler, retry_after="7")
        chunk(handler, b": hello\n\n")
        handler.close_connection = True

    balancer = world.balancer([Backend(server(serve).origin, 1)], transport=None)
    seen: List[bytes] = []
    with pytest.raises(world.httpx.RemoteProtocolError):
        read(world, balancer, seen.append)
    assert (seen, counters(balancer)) == ([b": hello\n\n"], {"successes": 1})


def test_the_connection_of_a_discarded_answer_is_used_again(sync_world: Any, server: Any) -> None:
    peers, world = [], sync_world

    def refuse(handler: Any) -> None:
        peers.append(handler.client_address)
        reply(handler, 429, b'{"error":"x"}', {"retry-after-ms": "0"})

    backends = [Backend(server(refuse).origin, 1), Backend(server(lambda handler: reply(handler, 200)).origin, 2)]
    with world.httpx.Client(transport=world.balancer(backends, transport=None)) as client:
        for _ in range(3):
            assert client.post("http://caller.example/x").status_code == 200
    assert len(peers) == 3 and len(set(peers)) == 1


def test_an_answer_that_does_not_end_does_not_hold_the_request(world: Any, server: Any) -> None:
    ends = threading.Event()

    def stall(handler: Any) -> None:
        handler.send_response(503)
        handler.send_header("content-length", "10")
        handler.end_headers()
        ends.wait(LONG)

    backends = [Backend(server(stall).origin, 1), Backend(server(lambda handler: reply(handler, 200, b"served")).origin, 2)]
    balancer = world.balancer(backends, transport=None)
    # The client has no timeout: only the balancer's own patience ends it.
    try:
        if world.way == "sync":
            response = world.httpx.Client(transport=balancer, timeout=None).post("http://caller.example/x")
        else:

            async def go() -> Any:
                async with world.httpx.AsyncClient(transport=balancer, timeout=None) as client:
                    return await client.post("http://caller.example/x")

            response = world.run(go)
        assert response.content == b"served" and not ends.is_set()
    finally:
        ends.set()


def generated(world: Any, parts: List[bytes]) -> Any:
    """A body that can be read once."""

    async def async_body() -> Any:
        for part in parts:
            yield part

    return iter_once(parts) if world.way == "sync" else async_body()


def iter_once(parts: List[bytes]) -> Any:
    yield from parts


@pytest.mark.parametrize("status", [200, 429, 503])
def test_a_generated_body_is_sent_once_and_its_answer_is_returned(world: Any, status: int) -> None:
    balancer = world.balancer([Backend("a.example", 1), Backend("b.example", 2)], {"a.example": status})
    response = world.call(balancer, content=generated(world, [b"a", b"b"]))
    assert (response.status_code, world.hosts, world.sent[0].content) == (status, ["a.example"], b"ab")


def test_a_body_that_raises_blames_nobody(sync_world: Any, server: Any) -> None:
    def broken() -> Any:
        yield b"a"
        raise OSError("the file is gone")

    balancer = sync_world.balancer([Backend(server(lambda handler: reply(handler, 200)).origin, 1)], transport=None)
    for _ in range(3):
        with pytest.raises(OSError, match="the file is gone"):
            sync_world.call(balancer, url="http://caller.example/x", content=broken())
    assert (states(balancer), counters(balancer)) == (["available"], {"faults": 3})
    assert balancer.snapshot()["backends"][0]["strikes"] == 0


def test_a_form_with_a_file_that_cannot_be_read_again_is_sent_once(sync_world: Any) -> None:
    class Pipe:
        """As a pipe is: it reads, and does not seek."""

        def __init__(self) -> None:
            self._parts = [b"piped", b""]

        def read(self, _: int = -1) -> bytes:
            return self._parts.pop(0)

    balancer = sync_world.balancer([Backend("a.example", 1), Backend("b.example", 2)], {"a.example": 503})
    response = sync_world.call(balancer, files={"file": ("a.bin", Pipe()), "other": b"bytes"})
    assert (response.status_code, sync_world.hosts) == (503, ["a.example"])
