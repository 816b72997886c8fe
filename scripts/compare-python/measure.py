"""Measures the Python package and LiteLLM's Router in interleaved rounds; README.md says what the rows mean."""

import argparse
import asyncio
import gc
import json
import logging
import os
import socket
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import httpx
from openai_priority_loadbalancer import AsyncLoadBalancer, Backend, LoadBalancer

BATCH_NS = 2_000_000  # shorter than a scheduler's slice, so that most batches run undisturbed
COOLDOWN = 24 * 3600  # seconds: no cooldown ends within a run
URL = "https://b0.example.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
BODY = {"messages": [{"role": "user", "content": "Which is the largest lake in Africa? " * 5}], "max_tokens": 100}
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Lake Victoria. " * 8}}]}


class Case:
    """One row: `batch(n)` does the work n times; `check()` ends the run if the work was not what the row says."""

    def __init__(self, name, batch, check=lambda: None):
        self.name, self.batch, self.check, self.n, self.ns = name, batch, check, 1, []

    def run(self):
        self.batch(1 + self.n // 16)  # untimed: the caches belong to the case before
        start = perf_counter_ns()
        self.batch(self.n)
        return (perf_counter_ns() - start) / self.n

    def calibrate(self):
        while (per_op := self.run()) * self.n < BATCH_NS / 4:
            self.n *= 2
        self.n = max(1, round(BATCH_NS / per_op))


def loop(work):
    def batch(n):
        for _ in range(n):
            work()

    return batch


def stay_offline():
    """Takes nothing from the caller's environment (no key, no proxy, no .env file) and refuses every connection."""
    os.environ.clear()
    os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_MODE="PRODUCTION", HF_HUB_OFFLINE="1")

    def refuse(*args, **_):
        print(f"error: a connection was tried: {args}", file=sys.stderr)
        os._exit(1)  # an exception could be swallowed

    socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
    socket.getaddrinfo = socket.gethostbyname = refuse


def expect(picked, expected, what):
    if set(picked) != set(expected):
        raise SystemExit(f"error: {what}: picked {sorted(picked)}, expected {sorted(expected)}")


def cooling(count, state):
    """Which indices cool down: none, every second one beginning with the second, or all."""
    return {"none": set(), "half": set(range(1, count, 2)), "all": set(range(count))}[state]


def package_backends(count, state="none"):
    backends = [Backend(f"b{i}.example.com", 1, api_key=f"key-{i}") for i in range(count)]
    for i in cooling(count, state):
        backends[i].is_throttling = True
        backends[i].retry_after = datetime.now(timezone.utc) + timedelta(seconds=COOLDOWN)
    return backends


def package_selection(count, state):
    lb = LoadBalancer(package_backends(count, state))
    healthy = set(range(count)) - cooling(count, state)

    def select():  # as its handle_request does: with none available, it does not come to the index
        lb._check_throttling()
        return lb._get_backend_index() if lb._get_available_backends() > 0 else -1

    name = f"Python package: {count} backends, {state} throttled"
    return Case(name, loop(select), lambda: expect({select() for _ in range(20 * count)}, healthy or {-1}, name))


def router_selection(count, state):
    from litellm import Router  # after `stay_offline`

    ids = [f"d{i}" for i in range(count)]
    cold = {ids[i] for i in cooling(count, state)}

    def deployment(id):
        params = {"model": "azure/gpt-4o", "api_base": f"https://{id}.example.com", "api_key": f"key-{id}"}
        return {"model_name": "gpt", "litellm_params": params, "model_info": {"id": id}}

    router = Router(model_list=[deployment(id) for id in ids], routing_strategy="simple-shuffle")
    for id in cold:
        router.cooldown_cache.add_deployment_to_cooldown(id, Exception("throttled"), 429, COOLDOWN)

    def check():
        picks = Counter(router.get_available_deployment(model="gpt")["model_info"]["id"] for _ in range(20 * count))
        wrong = sum(n for id, n in picks.items() if id in cold)
        print(f"{name}: {wrong} of {picks.total()} picks were of one that is cooled down", file=sys.stderr)
        expect(picks, set(ids) - cold, name)

    name = f"LiteLLM Router: {count} deployments, {state} cooled down"
    return Case(name, loop(lambda: router.get_available_deployment(model="gpt")), check)


def selection():
    package = [package_selection(n, state) for n in (3, 8, 64, 1000) for state in ("none", "half", "all")]
    return package + [router_selection(n, state) for n in (3, 64) for state in ("none", "half")]


def request():
    def batch(client):
        return loop(lambda: client.post(URL, json=BODY).raise_for_status())

    return through_package("httpx", httpx.Client, LoadBalancer, (3, 64), batch)


def async_request():
    runner = asyncio.Runner()  # one event loop for all batches

    def batch(client):
        async def posts(n):
            for _ in range(n):
                (await client.post(URL, json=BODY)).raise_for_status()

        return lambda n: runner.run(posts(n))

    return through_package("async httpx", httpx.AsyncClient, AsyncLoadBalancer, (3,), batch)


def through_package(name, client, load_balancer, counts, batch):
    """The bare client over a stub, then the same with the package between the two."""

    class Stub(httpx.BaseTransport, httpx.AsyncBaseTransport):
        def handle_request(self, request):
            return httpx.Response(200, json=ANSWER)

        async def handle_async_request(self, request):
            return httpx.Response(200, json=ANSWER)

    def case(count):
        lb = load_balancer(package_backends(count))
        lb._transport = client(transport=Stub())  # in place of the client that the package makes, and sends with
        posts = batch(client(transport=lb))

        def check():
            posts(20 * count)
            used = [i for i, backend in enumerate(lb.backends) if backend.successful_call_count > 0]
            expect(used, range(count), "requests through the Python package")

        return Case(f"{name} + Python package: {count} backends", posts, check)

    return [Case(name, batch(client(transport=Stub()))), *map(case, counts)]


def measure(title, cases, rounds):
    print(f"measuring: {title}", file=sys.stderr)
    for case in cases:
        case.calibrate()
    gc.freeze()  # what the imports left behind does not weigh on anybody's garbage collection
    for number in range(rounds):
        first = number % len(cases)  # each case is first, second and last in turn
        for case in cases[first:] + cases[:first]:
            case.ns.append(case.run())
    for case in cases:
        case.check()
    base = cases[0].ns

    def row(name, ns):
        ratios = sorted(a / b for a, b in zip(ns, base))  # within a round, when the machine was as fast for both
        quartiles = [ratios[len(ratios) // 4], ratios[len(ratios) * 3 // 4]]
        p10 = sorted(ns)[len(ns) // 10]
        return {"case": name, "median_ns": median(ns), "p10_ns": p10, "ratio": median(ratios), "quartiles": quartiles}

    rows = [row(case.name, case.ns) for case in cases]
    for name, ns in ((case.name, case.ns) for case in cases if " + " in case.name):
        rows.append(row(f"added by {name.split(' + ')[1]}", [a - b for a, b in zip(ns, base)]))
    return {"group": title, "base": cases[0].name, "cases": rows}


def markdown(report):
    packages = ", ".join(f"{p} {report['packages'][p]}" for p in ("openai_priority_loadbalancer", "litellm", "httpx"))
    lines = [f"Python {report['python']}, {packages}; {report['rounds']} rounds. {report['note']}".strip()]
    for group in report["groups"]:
        # The columns of the ratio runner, so that its rows and these can stand in one table.
        lines += ["", "| section | case | per operation | times the first | quartiles | rounds |"]
        lines += ["| --- | --- | ---: | ---: | ---: | ---: |"]
        for r in group["cases"]:
            (low, high), rounds = r["quartiles"], report["rounds"]
            figures = f"{r['median_ns'] / 1000:.2f} us | {r['ratio']:.2f} | {low:.2f} - {high:.2f} | {rounds}"
            lines.append(f"| {group['group']} | {r['case']} | {figures} |")
    return "\n".join(lines) + "\n"


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/compare-python/run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=101, help="rounds per group (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--note", default="", help="a sentence to print above the tables")
    parser.add_argument("--readme", action="store_true", help="put the tables into README.md beside the script")
    args = parser.parse_args()
    args.rounds = max(args.rounds, 1)
    if args.json and (args.json.is_dir() or not args.json.absolute().parent.is_dir()):
        parser.error(f"--json {args.json}: no file can be written there")
    return args


def main():
    args = arguments()
    report = {
        "python": sys.version.split()[0],
        "machine": {"cpus": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2)},
        "rounds": args.rounds,
        "note": args.note,
        "packages": {d.name: d.version for d in sorted(metadata.distributions(), key=lambda d: d.name.lower())},
    }
    stay_offline()
    import litellm

    litellm.telemetry = False  # read by versions that had telemetry
    groups = (("selection", selection), ("request", request), ("async request", async_request))
    report["groups"] = [measure(title, cases(), args.rounds) for title, cases in groups]
    log = logging.getLogger("openai-priority-loadbalancer")
    if log.getEffectiveLevel() != logging.WARNING or log.hasHandlers():
        raise SystemExit("error: an import has changed how the Python package logs")
    table = markdown(report)
    print(table, end="")
    if args.json:
        args.json.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if args.readme:
        readme = Path(__file__).with_name("README.md")
        mark = "<!-- written by run --readme -->\n"
        before, _, after = readme.read_text(encoding="utf-8").split(mark)
        readme.write_text(mark.join([before, table, after]), encoding="utf-8")


if __name__ == "__main__":
    main()
