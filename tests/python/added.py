"""What a balancer adds to a call, in microseconds, on a transport that answers at once: ours, and where it fits the package's,
each against the bare client, in turns within one process. Medians over the rounds."""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from typing import Any, Callable, Dict, List

from lb_python import Backend, LoadBalancer
from lb_python._core import Pool
from lb_python._transport import LOGGER

ROUNDS, CALLS = 60, 100
URL = "https://caller.example/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}'
SENT = {"api-key": "an example key", "x-stainless-lang": "python", "x-stainless-os": "Linux", "content-type": "application/json"}
ANSWERED = [
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"2"),
    (b"Date", b"Sun, 22 Nov 2026 12:00:00 GMT"),
    (b"apim-request-id", b"0f8fad5b-d9cb-469f-a165-70867728950e"),
    (b"x-ratelimit-remaining-requests", b"119"),
    (b"x-ratelimit-remaining-tokens", b"11900"),
    (b"x-ms-region", b"Sweden Central"),
    (b"Strict-Transport-Security", b"max-age=31536000"),
]
HOSTS = ["a.example", "b.example", "c.example"]


def per_call(clients: Dict[str, Any]) -> Dict[str, List[float]]:
    """Microseconds per call and round, by client."""
    found: Dict[str, List[float]] = {name: [] for name in clients}
    for number in range(ROUNDS + 2):
        for name, client in clients.items():
            begun = time.thread_time()
            for _ in range(CALLS):
                client.post(URL, content=BODY, headers=SENT)
            # The first rounds warm up.
            if number >= 2:
                found[name].append((time.thread_time() - begun) / CALLS * 1e6)
    return found


def core_calls() -> float:
    """Microseconds of a request's calls of the extension."""
    import types

    pool = Pool([Backend(host, 1) for host in HOSTS], LOGGER)
    lines = [(name.lower(), value) for name, value in ANSWERED]
    response = types.SimpleNamespace(status_code=200, headers=types.SimpleNamespace(raw=lines))

    def request() -> None:
        walk = pool.walk(None)
        walk.next()
        walk.headers(lines, None, None)
        walk.announces_refusal(response)
        walk.answered(response, None)
        walk.attempts, walk.waited
        walk.close()

    return best(request)


def best(function: Callable[[], None]) -> float:
    rounds = []
    for _ in range(ROUNDS):
        begun = time.thread_time()
        for _ in range(CALLS * 10):
            function()
        rounds.append((time.thread_time() - begun) / (CALLS * 10) * 1e6)
    return statistics.median(rounds)


def main(name: str) -> None:
    httpx: Any = importlib.import_module(name)

    class Stub(httpx.BaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            return httpx.Response(200, headers=ANSWERED, stream=httpx.ByteStream(b"{}"))

    clients = {
        "bare": httpx.Client(transport=Stub()),
        "lb-python": httpx.Client(transport=LoadBalancer([Backend(host, 1) for host in HOSTS], transport=Stub())),
    }
    if name == "httpx":
        import openai_priority_loadbalancer as package

        theirs = package.LoadBalancer([package.Backend(host, 1) for host in HOSTS])
        theirs._transport = httpx.Client(transport=Stub())
        clients["package"] = httpx.Client(transport=theirs)
    found = per_call(clients)
    bare = statistics.median(found["bare"])
    print(f"{name}: a call of the bare client takes {bare:.0f} us")
    for other in list(clients)[1:]:
        # Round by round, so that what slows the machine down slows both down.
        added = statistics.median(mine - base for mine, base in zip(found[other], found["bare"]))
        print(f"{name}: {other} adds {added:.0f} us")
    print(f"{name}: the calls of the extension take {core_calls():.1f} us")


if __name__ == "__main__":
    main(sys.argv[1])
