"""A balancer under httpx itself, with an operator's hand on it."""

from __future__ import annotations

from datetime import timedelta
from typing import List

import httpx

from lb_python import AsyncLoadBalancer, Backend, Exhausted, LoadBalancer, PoolOptions, Wishes

OPTIONS: PoolOptions = {"max_cooldown": timedelta(minutes=2), "deadline": 30, "guard_stateful_paths": True}


def backends() -> List[Backend]:
    return [Backend("a.example", 1, "/team", "an example key"), Backend(host="b.example", priority=2, api_key="another")]


def ask() -> int:
    with LoadBalancer(backends(), **OPTIONS) as balancer, httpx.Client(transport=balancer) as client:
        balancer.drain("b.example")
        response = client.post("https://any.example/x", json={}, extensions={"lb_python": Wishes(within=5)})
        told = response.extensions["lb_python"]
        if isinstance(told, Exhausted):
            print(told.retry_after, [reason["backend"] for reason in told.reasons])
        balancer.replace(backends()[:1], **OPTIONS)
        return response.status_code


async def ask_async() -> int:
    async with httpx.AsyncClient(transport=AsyncLoadBalancer(backends(), trust_env=False)) as client:
        return (await client.get("https://any.example/x")).status_code


if __name__ == "__main__":
    print(ask())
