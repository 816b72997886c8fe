"""Every option of the pool, by name, and what operators and requests may say."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from conftest import URL, states

from lb_python import AsyncLoadBalancer, Backend, Exhausted, PoolOptions, Wishes, wishing

A_AND_B = [Backend("a.example", 1), Backend("b.example", 2)]


def test_every_option_is_taken_and_typed() -> None:
    options: PoolOptions = {
        "default_cooldown": timedelta(seconds=3),
        "max_cooldown": 120.0,
        "strikes": 1,
        "probe_after": 5,
        "stalled_after": 30,
        "on_status": {404: "fail-over", 403: "fail-over-and-cool", 401: "return"},
        "fail_over_after_send": True,
        "reject_html": True,
        "peek": False,
        "wait": (timedelta(seconds=1), 10),
        "deadline": 60,
        "fail_over_within": 20,
        "guard_stateful_paths": True,
        "always_synthesize": True,
        "max_attempts": 2,
    }
    assert set(options) == set(PoolOptions.__annotations__)
    AsyncLoadBalancer(A_AND_B, **options)
    AsyncLoadBalancer(A_AND_B, **{name: None for name in options})  # type: ignore[arg-type]


def test_a_cooldown_of_ones_own(world: Any) -> None:
    balancer = world.balancer(A_AND_B, {"a.example": 429}, default_cooldown=timedelta(seconds=3), max_cooldown=60)
    world.call(balancer)
    assert 2_000 < balancer.snapshot()["backends"][0]["remaining_ms"] <= 3_000


def test_one_strike_and_an_html_page_and_a_404(world: Any) -> None:
    page = lambda _: world.httpx.Response(200, html="<p>log in</p>")  # noqa: E731
    assert world.call(world.balancer(A_AND_B, {"a.example": page}, reject_html=True)).json() == {}
    balancer = world.balancer(A_AND_B, {"a.example": 500}, strikes=1)
    world.call(balancer)
    assert states(balancer) == ["suspect", "available"]
    balancer = world.balancer(A_AND_B, {"a.example": 404}, on_status={404: "fail-over"})
    assert world.call(balancer).status_code == 200 and states(balancer) == ["available", "available"]


def test_no_more_attempts_than_allowed(world: Any) -> None:
    balancer = world.balancer(A_AND_B, {"a.example": 500}, max_attempts=1)
    assert (world.call(balancer).status_code, world.hosts) == (500, ["a.example"])


def test_what_is_stored_at_one_resource_stays_there(world: Any) -> None:
    balancer = world.balancer(A_AND_B, {"a.example": 503}, guard_stateful_paths=True)
    response = world.call(balancer, "GET", "https://caller.example/openai/v1/files/file-1")
    assert (response.status_code, world.hosts) == (503, ["a.example"])
    # A pin knows better where that is: at any deployment of the resource.
    world.sent.clear()
    same = [Backend("a.example", number, name=f"a{number}", deployment=f"d{number}") for number in (1, 2)]
    balancer = world.balancer([*same, A_AND_B[1]], {"a.example": 503}, guard_stateful_paths=True)
    pinned = {"lb_python": Wishes(pin_resource="a2")}
    response = world.call(balancer, "GET", "https://caller.example/openai/v1/files/file-1", extensions=pinned)
    assert (response.status_code, world.hosts) == (503, ["a.example", "a.example"])


def test_a_request_waits_where_that_is_allowed(world: Any) -> None:
    answers = iter([world.answer(429, retry_after_ms="80"), world.answer(200)])
    balancer = world.balancer(A_AND_B[:1], {"a.example": lambda _: next(answers)}, wait=(20, 10))
    response = world.call(balancer)
    served = response.extensions["lb_python"]
    assert (response.status_code, served.attempts) == (200, 2) and served.waited > 0
    assert balancer.snapshot()["waits"]["begun"] == 1
    balancer.cool("a.example", 5)
    refused = world.call(balancer, extensions={"lb_python": Wishes(wait=False)})
    assert refused.status_code in (429, 503) and isinstance(refused.extensions["lb_python"], Exhausted)


def test_who_waits_goes_on_when_an_operator_ends_it(world: Any, monkeypatch: Any) -> None:
    import lb_python._dispatch as loop

    monkeypatch.setattr(loop, "LOOKS_UP_AFTER", 0.01)
    answers = [world.answer(429, retry_after="500"), world.answer(200), world.answer(200)]
    balancer = world.balancer(A_AND_B[:1], {"a.example": lambda _: answers.pop(0)}, wait=(550, 10))
    ends = []
    sleep = "time.sleep" if world.way == "sync" else "_sleep"

    def end() -> None:
        if not ends:
            ends.append(balancer.end_cooldown("a.example"))

    async def async_end(_: float) -> None:
        end()

    if world.way == "sync":
        monkeypatch.setattr(f"lb_python._transport.{sleep}", lambda _: end())
    else:
        monkeypatch.setattr(f"lb_python._transport.{sleep}", async_end)
    assert world.call(balancer).status_code == 200 and ends == [True]


def test_who_waits_goes_on_in_the_pool_that_took_the_place(world: Any, monkeypatch: Any) -> None:
    balancer = world.balancer(A_AND_B[:1], {"a.example": lambda _: world.answer(429, retry_after="500")}, wait=(550, 10))

    def replace(_: float) -> None:
        if len(balancer.backends) == 1:
            balancer.replace(A_AND_B, wait=(550, 10))

    async def async_replace(_: float) -> None:
        replace(_)

    monkeypatch.setattr("lb_python._transport.time.sleep", replace)
    monkeypatch.setattr("lb_python._transport._sleep", async_replace)
    assert (world.call(balancer).status_code, world.hosts) == (200, ["a.example", "b.example"])
    # What is known stays with who stays.
    assert states(balancer) == ["cooling", "available"]


def test_wishes_come_with_the_request_or_around_it(world: Any) -> None:
    balancer = world.balancer(A_AND_B)
    world.call(balancer, extensions={"lb_python": Wishes(pin="b.example")})
    with wishing(Wishes(pin="b.example")):
        world.call(balancer)
        world.call(balancer, extensions={"lb_python": Wishes(pin="a.example")})
    world.call(balancer)
    assert world.hosts == ["b.example", "b.example", "a.example", "a.example"]
    with pytest.raises(ValueError, match="pinned to backend z.example"):
        world.call(balancer, extensions={"lb_python": Wishes(pin="z.example")})
    with pytest.raises(ValueError, match="one pin"):
        Wishes(pin="a", pin_resource="b")


def test_a_key_of_affinity_leads_to_one_backend(world: Any) -> None:
    balancer = world.balancer([Backend(f"{name}.example", 1) for name in "abcdefgh"])
    for _ in range(8):
        world.call(balancer, extensions={"lb_python": Wishes(affinity="a conversation")})
    assert len(set(world.hosts)) == 1


def test_a_deadline_that_is_over(world: Any) -> None:
    balancer = world.balancer(A_AND_B)
    response = world.call(balancer, extensions={"lb_python": Wishes(within=0)})
    assert response.status_code == 503 and "deadline" in response.json()["error"]["message"] and not world.sent


def test_names_of_deployments_and_models(world: Any) -> None:
    backends = [
        Backend("a.example", 1, deployment="mine", model="model-a"),
        Backend("b.example", 2, models={"gpt-4o": "a much longer name"}),
        Backend("c.example", 3),
    ]
    refused = dict.fromkeys(["a.example", "b.example"], 429)
    balancer = world.balancer(backends, refused)
    world.call(balancer, url="https://caller.example/openai/v1/responses", json={"model": "gpt-4o", "n": 1})
    bodies = [(request.content, request.headers["content-length"]) for request in world.sent]
    assert [b'"model-a"' in bodies[0][0], b'"a much longer name"' in bodies[1][0], b'"gpt-4o"' in bodies[2][0]] == [True] * 3
    assert all(int(length) == len(body) for body, length in bodies)
    world.sent.clear()
    world.call(world.balancer(backends, refused), json={"model": "gpt-4o"})
    assert world.sent[0].url.path == "/openai/deployments/mine/chat/completions"
    assert world.sent[0].content == world.sent[2].content


def test_backends_are_drained_and_reopened_by_name(world: Any) -> None:
    balancer = world.balancer(A_AND_B)
    assert balancer.drain("a.example") and not balancer.drain("a.example") and not balancer.drain("z.example")
    world.call(balancer)
    assert balancer.reopen("a.example") and not balancer.reopen("a.example")
    assert balancer.cool("b.example", timedelta(minutes=1)) and not balancer.cool("b.example", 30)
    world.call(balancer)
    assert world.hosts == ["b.example", "a.example"] and states(balancer) == ["available", "cooling"]


def test_what_changes_is_logged_and_what_is_usual_is_not(world: Any, caplog: Any) -> None:
    answers = {"a.example": lambda _: world.answer(429, retry_after="7"), "b.example": 500}
    balancer = world.balancer([*A_AND_B, Backend("c.example", 3)], answers)
    with caplog.at_level(logging.INFO, "lb_python"):
        world.call(balancer)
    records = [(record.levelname, record.lb_backend, record.getMessage()) for record in caplog.records if record.name == "lb_python"]
    assert records == [
        ("WARNING", "a.example", "a.example is cooling for 7s: 429; by retry-after"),
        ("INFO", "a.example", "request 1 goes on from a.example to b.example: 429"),
        ("INFO", "b.example", "b.example failed: 500; strikes: 1"),
        ("INFO", "b.example", "request 1 goes on from b.example to c.example: 500"),
    ]
    caplog.clear()
    answers["a.example"], answers["b.example"] = 200, 200
    balancer.end_cooldown("a.example")
    with caplog.at_level(logging.DEBUG, "lb_python"):
        caplog.clear()
        world.call(balancer)
    assert not [record for record in caplog.records if record.name == "lb_python"]


def test_a_handler_that_raises_does_not_stop_the_request(world: Any, monkeypatch: Any) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("full disk")

    unraisable = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    handler, logger = Broken(), logging.getLogger("lb_python")
    logger.addHandler(handler)
    try:
        balancer = world.balancer(A_AND_B, {"a.example": 429})
        assert world.call(balancer).status_code == 200
    finally:
        logger.removeHandler(handler)
    assert unraisable and states(balancer) == ["cooling", "available"]


def test_proxies_of_the_environment_are_those_of_a_client(sync_world: Any, server: Any, monkeypatch: Any) -> None:
    from conftest import reply

    asked = []

    def proxy(handler: Any) -> None:
        asked.append(handler.path)
        reply(handler, 200)

    one = server(proxy)
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", one.origin)
    backends = [Backend("http://a.invalid", 1)]
    assert sync_world.call(sync_world.balancer(backends, transport=None), url=URL.replace("https", "http")).status_code == 200
    assert asked and asked[0].startswith("http://a.invalid/")
    direct = sync_world.balancer([Backend(one.origin, 1)], transport=None, trust_env=False)
    sync_world.call(direct, url="http://caller.example/x")
    assert asked[1] == "/x"
