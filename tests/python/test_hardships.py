"""Forks, threads, and callers who leave: nothing leaks, and nobody is blamed wrongly."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List

import pytest
import trio
from conftest import World, counters, states

from lb_python import Backend, Wishes

FORKS, THREADS, EACH, TASKS = 1_000, 64, 50, 200
A_AND_B = [Backend("a.example", 1), Backend("b.example", 2)]


def request(world: World) -> Any:
    return world.httpx.Request("POST", "https://caller.example/x", content=b"{}")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not hasattr(os, "fork") or not os.path.isdir("/proc/self/fd"), reason="needs fork and /proc")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_balancer_lives_on_in_every_fork(sync_world: World) -> None:
    world = sync_world
    balancer = world.balancer(A_AND_B, {"a.example": lambda _: world.answer(429, retry_after="500")})
    balancer.handle_request(request(world))
    files, is_over = open_files(), threading.Event()

    def go_on() -> None:
        # The forks happen in the midst of another thread's requests, some of which are failures that are written down.
        while not is_over.is_set():
            balancer.handle_request(request(world)).read()
            balancer.end_cooldown("a.example")
            world.sent.clear()

    other = threading.Thread(target=go_on)
    other.start()
    try:
        for _ in range(FORKS):
            child = os.fork()
            if child == 0:
                # Whoever hangs is ended, which is a failure.
                signal.alarm(30)
                served = balancer.handle_request(request(world)).extensions["lb_python"].backend
                os._exit(0 if served == "b.example" else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        is_over.set()
        other.join()
    assert open_files() == files
    assert "in_flight" not in counters(balancer) and "in_flight" not in counters(balancer, 1)


def test_threads_share_a_balancer(sync_world: World) -> None:
    world = sync_world
    hosts = [f"{name}.example" for name in "abcd"]
    seen = [0]

    def sometimes(_: Any) -> Any:
        seen[0] += 1
        return world.answer(429, retry_after_ms="1") if seen[0] % 3 == 0 else 200

    backends = [Backend(host, 1 + number // 2) for number, host in enumerate(hosts)]
    balancer = world.balancer(backends, dict.fromkeys(hosts, sometimes))

    def send(number: int) -> List[int]:
        if number == 7:
            balancer.replace(backends, strikes=3)
        return [balancer.handle_request(request(world)).status_code for _ in range(EACH)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            statuses = [status for some in threads.map(send, range(THREADS)) for status in some]
    finally:
        sys.setswitchinterval(interval)
    counted = balancer.snapshot()["counters"]
    assert (len(statuses), set(statuses) <= {200, 429}) == (THREADS * EACH, True)
    assert counted["successes"] == statuses.count(200)
    assert (counted["in_flight"], counted["attempts"]) == (0, len(world.sent))
    assert counted["attempts"] == counted["successes"] + counted["throttles"]


class Never:
    """An async transport that never answers."""

    def __init__(self) -> None:
        self.arrived = 0

    async def handle_async_request(self, _: Any) -> Any:
        import anyio

        self.arrived += 1
        await anyio.sleep_forever()


def test_cancelled_tasks_blame_nobody(async_world: World) -> None:
    never = Never()
    balancer = async_world.balancer(A_AND_B, transport=never)

    async def go() -> None:
        tasks = [asyncio.create_task(balancer.handle_async_request(request(async_world))) for _ in range(TASKS)]
        while never.arrived < TASKS:
            await asyncio.sleep(0)
        assert counters(balancer) == {"in_flight": TASKS}
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)

    asyncio.run(go())
    assert (counters(balancer), states(balancer)) == ({"cancelled": TASKS}, ["available", "available"])
    assert balancer.snapshot()["backends"][0]["strikes"] == 0


def test_cancelled_trio_tasks_blame_nobody(async_world: World) -> None:
    balancer = async_world.balancer(A_AND_B, transport=Never())

    async def go() -> None:
        with trio.move_on_after(0.05) as scope:
            async with trio.open_nursery() as nursery:
                for _ in range(TASKS):
                    nursery.start_soon(balancer.handle_async_request, request(async_world))
        assert scope.cancelled_caught

    trio.run(go)
    assert (counters(balancer), states(balancer)) == ({"cancelled": TASKS}, ["available", "available"])


def test_what_stalled_before_it_was_cancelled_is_a_strike_if_that_is_asked_for(async_world: World) -> None:
    balancer = async_world.balancer(A_AND_B, transport=Never(), stalled_after=0.001, strikes=1)

    async def go() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(balancer.handle_async_request(request(async_world)), 0.05)

    asyncio.run(go())
    assert states(balancer) == ["suspect", "available"]


def test_who_is_cancelled_while_it_waits_gives_its_place_back(async_world: World) -> None:
    balancer = async_world.balancer(A_AND_B[:1], wait=(500, 10))
    balancer.cool("a.example", 400)

    async def go() -> None:
        task = asyncio.create_task(balancer.handle_async_request(request(async_world)))
        while balancer.snapshot()["waits"]["waiting"] == 0:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    assert balancer.snapshot()["waits"]["waiting"] == 0


def test_who_is_cancelled_while_its_token_is_fetched_blames_nobody(async_world: World) -> None:
    asked = []

    async def provider() -> str:
        asked.append(1)
        await asyncio.sleep(1_000)
        return "never"

    balancer = async_world.balancer([Backend("a.example", 1, token_provider=provider)])

    async def go() -> None:
        task = asyncio.create_task(balancer.handle_async_request(request(async_world)))
        while not asked:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    assert (counters(balancer), states(balancer)) == ({"cancelled": 1}, ["available"])


def test_an_interrupt_blames_nobody(sync_world: World) -> None:
    balancer = sync_world.balancer(A_AND_B, {"a.example": KeyboardInterrupt})
    with pytest.raises(KeyboardInterrupt) as raised:
        balancer.handle_request(request(sync_world))
    # Also while the exception, and with it every frame, is held.
    assert raised.tb is not None
    assert (counters(balancer), states(balancer)) == ({"cancelled": 1}, ["available", "available"])


def test_a_request_that_failed_is_freed_at_once(sync_world: World) -> None:
    seen: List[Any] = []

    def dead(one: Any) -> Any:
        seen.append(weakref.ref(one))
        raise sync_world.httpx.ConnectError("refused")

    class Dead:
        def handle_request(self, one: Any) -> Any:
            dead(one)

    balancer = sync_world.balancer(A_AND_B, transport=Dead())
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            try:
                balancer.handle_request(request(sync_world))
            except sync_world.httpx.ConnectError:
                pass
        assert len(seen) >= 4 and not [one for one in seen if one() is not None]
    finally:
        gc.enable()


def test_a_thread_of_an_event_loop_may_have_wishes_of_its_own(async_world: World) -> None:
    from lb_python import wishing

    balancer = async_world.balancer([*A_AND_B, Backend("c.example", 3)])

    async def send(name: str) -> str:
        with wishing(Wishes(pin=name)):
            await asyncio.sleep(0)
            response = await balancer.handle_async_request(request(async_world))
            return str(response.extensions["lb_python"].backend)

    async def go() -> List[str]:
        return await asyncio.gather(*(send(backend.name) for backend in balancer.backends))

    assert asyncio.run(go()) == ["a.example", "b.example", "c.example"]
