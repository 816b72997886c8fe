"""Credentials: each backend gets its own, and nobody sees it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from conftest import counters, states

from lb_python import AsyncLoadBalancer, Backend, CredentialError, LoadBalancer


class Sealed(Exception):
    pass


def test_a_backend_with_its_own_gets_none_of_the_callers(world: Any) -> None:
    balancer = world.balancer(
        [
            Backend("a.example", 1, api_key="key-a", caller_credential_headers=["x-gateway-key"]),
            Backend("b.example", 2, bearer_token="token-b", caller_credential_parameters=["code"]),
            Backend("c.example", 3, forward_caller_credential=True),
        ],
        {"a.example": 429, "b.example": 429},
    )
    headers = {"api-key": "mine", "authorization": "Bearer mine", "x-gateway-key": "mine", "x-kept": "kept"}
    world.call(balancer, url="https://caller.example/x?api-key=mine&code=mine&q=1", headers=headers)
    first, second, third = world.sent
    assert "mine" not in str(first.url).replace("code=mine", "") and "mine" not in str(first.headers.raw)
    assert first.headers["api-key"] == "key-a" and first.headers["x-kept"] == "kept"
    assert (str(second.url.query), second.headers["authorization"]) == ("b'q=1'", "Bearer token-b")
    assert "api-key" not in second.headers
    assert third.headers["api-key"] == "mine" and b"code=mine" in third.url.query


def test_a_provider_is_asked_before_each_attempt(world: Any) -> None:
    tokens = iter(["one", "two"])
    backends = [Backend("a.example", 1, token_provider=lambda: next(tokens))]
    balancer = world.balancer(backends)
    for _ in range(2):
        world.call(balancer, headers={"authorization": "Bearer mine"})
    assert [request.headers["authorization"] for request in world.sent] == ["Bearer one", "Bearer two"]


def test_an_async_provider_is_awaited_and_a_sync_balancer_refuses_it(world: Any) -> None:
    async def provider() -> str:
        return "awaited"

    backends = [Backend("a.example", 1, token_provider=provider)]
    if world.way == "sync":
        with pytest.raises(ValueError, match="is async; AsyncLoadBalancer takes such"):
            world.balancer(backends)
        # One that only shows itself when it is called.
        backends = [Backend("a.example", 1, token_provider=lambda: provider()), Backend("b.example", 2, api_key="key-b")]
        balancer = world.balancer(backends)
        assert world.call(balancer).status_code == 200 and world.hosts == ["b.example"]
        assert states(balancer) == ["suspect", "available"]
        with pytest.raises(CredentialError) as raised:
            world.call(world.balancer(backends[:1]))
        assert "something to await only under AsyncLoadBalancer" in str(raised.value.__cause__)
    else:
        world.call(world.balancer(backends))
        assert world.sent[0].headers["authorization"] == "Bearer awaited"


@pytest.mark.parametrize("gives", [Sealed("CANARY"), "", "Bearer CANARY", "CANARY\n", b"CANARY", None])
def test_a_provider_without_a_token_is_only_its_own_backends_matter(world: Any, gives: Any, caplog: Any) -> None:
    def provider() -> Any:
        if isinstance(gives, Exception):
            raise gives
        return gives

    backends = [Backend("a.example", 1, token_provider=provider), Backend("b.example", 2, api_key="key-b")]
    balancer = world.balancer(backends)
    with caplog.at_level(logging.DEBUG):
        assert world.call(balancer).status_code == 200
    assert (world.hosts, states(balancer)) == (["b.example"], ["suspect", "available"])
    assert (counters(balancer, 0), counters(balancer, 1)) == ({"faults": 1}, {"successes": 1})
    assert balancer.snapshot()["backends"][0]["last_failure"]["reason"] == "credential"
    assert "CANARY" not in caplog.text and "CANARY" not in str(balancer.snapshot())


def test_where_no_credential_can_be_had_the_cause_is_told(world: Any) -> None:
    def provider() -> str:
        raise Sealed("vault")

    balancer = world.balancer([Backend("a.example", 1, token_provider=provider)])
    with pytest.raises(CredentialError, match="no credential for backend a.example") as raised:
        world.call(balancer)
    assert isinstance(raised.value.__cause__, Sealed)
    assert world.sent == []


def test_an_address_that_cannot_be_made_is_not_the_providers_fault(world: Any) -> None:
    balancer = world.balancer([Backend("a.example", 1, path="p", token_provider=lambda: "token")])
    with pytest.raises(ValueError, match="cannot be addressed"):
        world.call(balancer, url="https://caller.example/x/%2e%2e/y")
    assert (states(balancer), counters(balancer)) == (["available"], {"cancelled": 1})


def test_no_key_is_in_a_repr_a_log_or_an_error(world: Any, caplog: Any) -> None:
    backends = [Backend("a.example", 1, api_key="CANARY"), Backend("b.example", 2, bearer_token="CANARY2")]
    balancer = world.balancer(
        backends, {"a.example": world.httpx.ConnectError("refused https://a.example/?api-key=CANARY3"), "b.example": 500}
    )
    with caplog.at_level(logging.DEBUG):
        response = world.call(balancer)
        balancer.cool("a.example", 1)
        balancer.drain("b.example")
        refused = world.call(balancer)
    seen = [caplog.text, repr(balancer), repr(backends), str(balancer.snapshot()), repr(refused.extensions), refused.text]
    assert response.status_code == 500 and refused.status_code == 503
    assert not [text for text in seen if "CANARY" in text]
    for text in (repr(vars(backends[0]) if hasattr(backends[0], "__dict__") else None), str(dir(backends[0]))):
        assert "CANARY" not in text and "api_key" not in text
    for wrong in ("CANARY\n", "Bearer CANARY", "'CANARY'"):
        with pytest.raises(ValueError) as raised:
            Backend("a.example", 1, api_key=wrong)
        assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize("balancer", [LoadBalancer, AsyncLoadBalancer])
def test_what_is_wrong_is_said_at_once(balancer: Any) -> None:
    for wrong, says in [
        (lambda: balancer([]), "backend"),
        (lambda: balancer([Backend("a.example", 1), Backend("a.example", 2)]), "a.example"),
        (lambda: balancer([Backend("a.example", 1, api_key="k"), Backend("b.example", 1)]), "b.example"),
        (lambda: balancer([Backend("a.example", 1)], strikes=0), "strikes"),
        (lambda: balancer([Backend("a.example", 1)], default_cooldown=-1), "default_cooldown"),
        (lambda: balancer([Backend("a.example", 1)], on_status={404: "explode"}), "on_status"),
        (lambda: Backend("a.example", 0), "priority"),
        (lambda: Backend("ftp://a.example", 1), "neither https nor http"),
        (lambda: Backend("a.example", 1, api_key="k", bearer_token="t"), "one credential"),
    ]:
        with pytest.raises(ValueError, match=says):
            wrong()
    with pytest.raises(TypeError, match="no such option: cooldown"):
        balancer([Backend("a.example", 1)], cooldown=1)
    with pytest.raises(TypeError, match="must be callable"):
        Backend("a.example", 1, token_provider="token")
