"""httpx and httpx2 in one process: one balancer serves requests of both."""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
from conftest import reply

from lb_python import Backend, LoadBalancer


def test_one_balancer_serves_clients_of_both(server: Any) -> None:
    throttled = server(lambda handler: reply(handler, 429, headers={"retry-after": "9"}))
    balancer = LoadBalancer([Backend(throttled.origin, 1), Backend(server(lambda handler: reply(handler, 200)).origin, 2)])
    for library in (httpx, httpx2):
        with library.Client(transport=balancer) as client:
            response = client.post("http://caller.example/x", json={})
            assert isinstance(response, library.Response) and response.status_code == 200
    # What one client met, the other knows.
    assert balancer.snapshot()["counters"]["throttles"] == 1
