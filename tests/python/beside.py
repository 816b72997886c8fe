"""One way to send the same arrivals to three emulated deployments, and what came of it.

    beside.py direct|lb-python|package

Tier 1 is provisioned and says in milliseconds when to come back, tier 2 is a small standard deployment that does too, and tier
3 has no limit. 40 % of the requests are streams. `direct` sends everything to tier 3, for the first token to compare with.
"""

from __future__ import annotations

import asyncio
import importlib
import random
import statistics
import sys
import time
from collections import Counter
from typing import Any, Dict, List

import openai
from emulator import Emulators

REQUESTS, PER_SECOND, STREAMS = 400, 20, 0.4
PACE = ["--latency-ms", "100", "--event-interval-ms", "15", "--completion-tokens", "20"]
HELLO: Any = [{"role": "user", "content": "Hello there, " * 40}]
httpx: Any = importlib.import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")


def hosts(emulators: Emulators) -> List[str]:
    return [
        emulators.start("--name", "ptu", "--ptus", "15", "--hint", "millis", *PACE),
        emulators.start("--name", "standard", "--tpm", "20000", "--hint", "millis", *PACE),
        emulators.start("--name", "other", *PACE),
    ]


def transport(way: str, origins: List[str]) -> Any:
    """The transport under the SDK; nothing where there is none."""
    if way == "direct":
        return None
    if way == "lb-python":
        from lb_python import AsyncLoadBalancer, Backend

        return AsyncLoadBalancer([Backend(origin, number) for number, origin in enumerate(origins, 1)])
    import openai_priority_loadbalancer as package

    # It takes scheme and port from the SDK's endpoint, and a host for each backend. So the hosts are names that a
    # transport under its own client tells apart: the least that lets it speak to three ports.
    ports = {f"tier{number}.invalid": httpx.URL(origin) for number, origin in enumerate(origins, 1)}
    balancer = package.AsyncLoadBalancer([package.Backend(host, number) for number, host in enumerate(ports, 1)])

    class ByPort(httpx.AsyncHTTPTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            request.url = ports[request.url.host].join(request.url.raw_path.decode())
            return await super().handle_async_request(request)

    balancer._transport = httpx.AsyncClient(transport=ByPort())
    return balancer


class Seen:
    def __init__(self) -> None:
        self.served: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.first: List[float] = []
        self.throttled = 0


async def one(client: Any, streams: bool, seen: Seen) -> None:
    begun = time.perf_counter()
    try:
        if streams:
            text = ""
            parts = await client.chat.completions.create(model="gpt-4o", messages=HELLO, max_tokens=20, stream=True)
            async for part in parts:
                if part.choices and part.choices[0].delta.content:
                    if not text:
                        seen.first.append(time.perf_counter() - begun)
                    text += part.choices[0].delta.content
        else:
            answer = await client.chat.completions.create(model="gpt-4o", messages=HELLO, max_tokens=20)
            text = answer.choices[0].message.content
        seen.served[text.split()[0]] += 1
    except openai.APIError as error:
        seen.failed[type(error).__name__] += 1


async def play(way: str, origins: List[str]) -> Dict[str, Any]:
    seen, draws = Seen(), random.Random(7)
    under = transport(way, origins)
    client = openai.AsyncAzureOpenAI(
        azure_endpoint=origins[2] if way != "package" else "http://caller.invalid",
        api_key="k1",
        api_version="2025-04-01-preview",
        max_retries=0,
        http_client=httpx.AsyncClient() if under is None else httpx.AsyncClient(transport=under),
    )
    if way == "package":

        async def count(response: Any) -> None:
            seen.throttled += response.status_code == 429

        under._transport.event_hooks["response"].append(count)
    # What the first request loads is not the balancer's.
    await one(client, True, Seen())
    tasks, at, begun, cpu = [], 0.0, time.perf_counter(), time.process_time()
    for _ in range(REQUESTS):
        at += draws.expovariate(PER_SECOND)
        streams = draws.random() < STREAMS
        await asyncio.sleep(max(0.0, begun + at - time.perf_counter()))
        tasks.append(asyncio.create_task(one(client, streams, seen)))
    await asyncio.gather(*tasks)
    cpu = time.process_time() - cpu
    if way == "lb-python":
        seen.throttled = under.snapshot()["counters"]["throttles"]
    return {
        "way": f"{way} ({httpx.__name__})",
        "served": sum(seen.served.values()),
        "by": dict(sorted(seen.served.items())),
        "failed": dict(seen.failed),
        "429s": seen.throttled,
        "first token p50, ms": round(statistics.median(seen.first) * 1e3),
        "CPU per request, ms": round(cpu / REQUESTS * 1e3, 2),
    }


if __name__ == "__main__":
    with Emulators() as emulators:
        print(asyncio.run(play(sys.argv[1], hosts(emulators))))
