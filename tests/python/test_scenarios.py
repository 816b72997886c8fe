"""What users of `openai_priority_loadbalancer` rely on, with one import changed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from conftest import URL, counters, states

from lb_python import Backend, Exhausted, Served


def test_the_constructors_take_what_the_packages_take(world: Any) -> None:
    backends = [Backend("a.example", 1, None, "key-a"), Backend(host="b.example", priority=2, path="/p/", api_key="key-b")]
    balancer = world.balancer(backends, {"a.example": 429})
    assert world.call(balancer).status_code == 200
    first, second = world.sent
    assert str(first.url) == URL.replace("caller.example", "a.example")
    assert str(second.url) == URL.replace("caller.example", "b.example/p")
    assert [request.headers["host"] for request in world.sent] == ["a.example", "b.example"]
    assert [request.headers.get_list("api-key") for request in world.sent] == [["key-a"], ["key-b"]]


def test_the_best_priority_is_asked_and_inside_it_anybody(world: Any) -> None:
    balancer = world.balancer([Backend("c.example", 2), Backend("a.example", 1), Backend("b.example", 1)])
    for _ in range(60):
        assert world.call(balancer).status_code == 200
    # Each of the two is left out by chance once in 2^59.
    assert set(world.hosts) == {"a.example", "b.example"}
    assert [backend.host for backend in balancer.backends] == ["a.example", "b.example", "c.example"]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_fails_goes_on_to_the_next_at_once(world: Any, status: int) -> None:
    balancer = world.balancer([Backend("a.example", 1), Backend("b.example", 2)], {"a.example": status})
    response = world.call(balancer)
    assert (response.status_code, world.hosts) == (200, ["a.example", "b.example"])
    served: Served = response.extensions["lb_python"]
    assert served == Served("b.example", 2, 0.0, (("a.example", str(status)),))


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 409])
def test_what_is_the_callers_is_returned(world: Any, status: int) -> None:
    balancer = world.balancer([Backend("a.example", 1), Backend("b.example", 2)], {"a.example": status})
    assert (world.call(balancer).status_code, world.hosts) == (status, ["a.example"])
    assert states(balancer) == ["available", "available"]


@pytest.mark.parametrize(
    ("headers", "at_least", "at_most"),
    [
        ({"retry_after": "7"}, 6_000, 7_000),
        ({"retry_after_ms": "2500"}, 1_500, 2_500),
        ({"retry_after": "1.5"}, 500, 1_500),
        ({"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "33s"}, 32_000, 33_000),
        # The package's default.
        ({}, 9_000, 10_000),
        ({"retry_after": "soon"}, 9_000, 10_000),
    ],
)
def test_a_backend_is_left_alone_until_its_hint(world: Any, headers: Any, at_least: int, at_most: int) -> None:
    balancer = world.balancer(
        [Backend("a.example", 1), Backend("b.example", 2)], {"a.example": lambda _: world.answer(429, **headers)}
    )
    world.call(balancer)
    world.call(balancer)
    assert world.hosts == ["a.example", "b.example", "b.example"]
    cooling = balancer.snapshot()["backends"][0]
    assert cooling["state"] == "cooling" and at_least <= cooling["remaining_ms"] <= at_most


def test_a_backend_that_is_back_is_asked_again(world: Any) -> None:
    answers = {"a.example": 429}
    balancer = world.balancer([Backend("a.example", 1), Backend("b.example", 2)], answers)
    world.call(balancer)
    answers["a.example"] = 200
    assert balancer.end_cooldown("a.example") and not balancer.end_cooldown("a.example")
    world.call(balancer)
    assert world.hosts == ["a.example", "b.example", "a.example"]


def test_when_none_is_left_the_caller_hears_why_and_when(world: Any) -> None:
    balancer = world.balancer(
        [Backend("a.example", 1), Backend("b.example", 2)],
        {"a.example": lambda _: world.answer(429, retry_after="7"), "b.example": lambda _: world.answer(429, retry_after="3")},
    )
    response = world.call(balancer)
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert 2_000 < int(response.headers["retry-after-ms"]) <= 3_000
    error = response.json()["error"]
    assert error["code"] == "rate_limit_exceeded" and "a.example, b.example" in error["message"]
    exhausted: Exhausted = response.extensions["lb_python"]
    assert [(reason["backend"], reason["state"], reason["reason"]) for reason in exhausted.reasons] == [
        ("a.example", "cooling", "429"),
        ("b.example", "cooling", "429"),
    ]
    world.call(balancer)
    assert len(world.sent) == 2, "those that are cooling are not asked"


def test_when_all_are_broken_the_last_answer_is_returned(world: Any) -> None:
    backends = [Backend("a.example", 1), Backend("b.example", 2)]
    answers = {"a.example": 500, "b.example": lambda _: world.answer(502, x_mark="theirs")}
    response = world.call(world.balancer(backends, answers))
    assert (response.status_code, response.headers["x-mark"]) == (502, "theirs")
    response = world.call(world.balancer(backends, answers, always_synthesize=True))
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


def test_a_body_is_replayed_and_the_callers_request_stays_as_it_was(world: Any) -> None:
    bodies = []

    def refuse(request: Any) -> int:
        bodies.append(request.content)
        return 429 if len(bodies) < 3 else 200

    hosts = ["a.example", "b.example", "c.example"]
    backends = [Backend(host, number, f"p{number}", f"key-{number}") for number, host in enumerate(hosts, 1)]
    balancer = world.balancer(backends, dict.fromkeys(hosts, refuse))
    response = world.call(balancer, content=b"the body", headers={"api-key": "the caller's", "x-mine": "1"})
    assert bodies == [b"the body"] * 3
    # Nothing of an attempt is left on the next, and nothing on the caller's.
    assert [request.url.path.split("/")[1] for request in world.sent] == ["p1", "p2", "p3"]
    assert (str(response.request.url), response.request.headers["api-key"]) == (URL, "the caller's")
    assert all(request.headers["x-mine"] == "1" for request in world.sent)


def test_a_form_with_files_is_replayed(world: Any) -> None:
    import io

    bodies = []

    def refuse(request: Any) -> int:
        bodies.append(request.content)
        return 429 if len(bodies) < 2 else 200

    balancer = world.balancer([Backend("a.example", 1), Backend("b.example", 2)], dict.fromkeys(["a.example", "b.example"], refuse))
    files = {"file": ("a.txt", io.BytesIO(b"what is in it")), "other": ("b.txt", b"bytes")}
    assert world.call(balancer, files=files).status_code == 200
    assert bodies[0] == bodies[1] and b"what is in it" in bodies[0]


def test_where_nothing_is_keyed_everybody_gets_the_callers_key(world: Any) -> None:
    balancer = world.balancer([Backend("a.example", 1), Backend("b.example", 2)], {"a.example": 503})
    world.call(balancer, headers={"api-key": "the caller's"})
    assert [request.headers["api-key"] for request in world.sent] == ["the caller's"] * 2


@pytest.mark.parametrize("fault", ["ConnectError", "ConnectTimeout", "ProxyError"])
def test_a_connect_fault_fails_over_and_makes_suspect(world: Any, fault: str) -> None:
    balancer = world.balancer(
        [Backend("a.example", 1), Backend("b.example", 2)], {"a.example": getattr(world.httpx, fault)}
    )
    assert (world.call(balancer).status_code, world.hosts) == (200, ["a.example", "b.example"])
    assert states(balancer) == ["suspect", "available"]
    assert balancer.snapshot()["backends"][0]["last_failure"]["text"] == "scripted"


@pytest.mark.parametrize("fault", ["ReadTimeout", "WriteTimeout", "ReadError", "RemoteProtocolError"])
def test_what_was_sent_is_not_sent_again_unless_that_is_asked_for(world: Any, fault: str) -> None:
    kind = getattr(world.httpx, fault)
    backends = [Backend("a.example", 1), Backend("b.example", 2)]
    balancer = world.balancer(backends, {"a.example": kind})
    with pytest.raises(kind, match="scripted"):
        world.call(balancer)
    assert (world.hosts, counters(balancer)) == (["a.example"], {"faults": 1})
    world.sent.clear()
    balancer = world.balancer(backends, {"a.example": kind}, fail_over_after_send=True)
    assert (world.call(balancer).status_code, world.hosts) == (200, ["a.example", "b.example"])


@pytest.mark.parametrize("fault", ["PoolTimeout", "UnsupportedProtocol", "LocalProtocolError"])
def test_what_is_the_clients_own_blames_nobody(world: Any, fault: str) -> None:
    kind = getattr(world.httpx, fault)
    balancer = world.balancer([Backend("a.example", 1), Backend("b.example", 2)], {"a.example": kind})
    for _ in range(3):
        with pytest.raises(kind):
            world.call(balancer)
    assert states(balancer) == ["available", "available"]


def test_when_no_connection_can_be_had_anywhere_the_last_error_is_raised(world: Any) -> None:
    dead = world.httpx.ConnectError
    balancer = world.balancer([Backend("a.example", 1), Backend("b.example", 2)], {"a.example": dead, "b.example": dead})
    with pytest.raises(dead):
        world.call(balancer)
    assert Counter(world.hosts) == {"a.example": 1, "b.example": 1}
