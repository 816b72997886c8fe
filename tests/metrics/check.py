"""Checks what Prometheus has of a run of the quickstart: the sums, and every expression of the dashboard."""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

report_file, prometheus, dashboard_file = sys.argv[1:]
JOBS = ("facade", "otel")
# How a pool's counters are called in `lb.result`.
RESULTS = {"success": "successes", "throttle": "throttles", "server_error": "server_errors", "fault": "faults",
           "rejected": "rejected", "cancelled": "cancelled"}


def until(what, seconds, ask):
    """Asks again until it is true; what it says last is why it never was."""
    deadline = time.monotonic() + seconds
    while True:
        answer, said = ask()
        if answer:
            return said
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds} s: {said}")
        time.sleep(0.1)


def query(expression):
    """The series of an expression, as labels and value."""
    url = f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{expression}\n{error.read().decode()}")
    except OSError as error:
        return None, str(error)
    return [(series["metric"], float(series["value"][1])) for series in result], "nothing"


def whole_report():
    with open(report_file) as text:
        try:
            return json.load(text), "it is not whole"
        except json.JSONDecodeError as error:
            return None, str(error)


def read_report():
    report, said = whole_report()
    return report is not None, report or said


def sums(job):
    """Whether all sums are the pools' own by now. What was never counted has no series."""
    found, expected = {}, {}

    def read(expression, key):
        series, said = query(expression)
        found.update({key(labels): value for labels, value in series or []})
        return said

    of_job = f'job="{job}"'
    said = read(f"sum by (lb_pool, lb_result) (lb_attempts_total{{{of_job}}})", lambda of: (of["lb_pool"], of["lb_result"]))
    for metric in ("lb_requests_total", "lb_attempt_duration_seconds_count", "lb_request_attempts_sum", "lb_attempts_in_flight",
                   "lb_failovers_total"):
        read(f"sum by (lb_pool) ({metric}{{{of_job}}})", lambda of: (of["lb_pool"], metric))
    for approach in report["approaches"]:
        pool, counters = approach["approach"], approach["counters"]
        is_balanced = pool != "direct"
        expected.update({(pool, result): counters[name] for result, name in RESULTS.items()})
        expected[pool, "lb_requests_total"] = approach["requests"] if is_balanced else 0
        expected[pool, "lb_attempt_duration_seconds_count"] = counters["attempts"]
        expected[pool, "lb_request_attempts_sum"] = counters["attempts"]
        expected[pool, "lb_attempts_in_flight"] = counters["in_flight"]
        # No request of it is refused, so that each attempt above the first is one failover.
        expected[pool, "lb_failovers_total"] = counters["attempts"] - approach["requests"] if is_balanced else 0
    wrong = {key: (found.get(key, 0), value) for key, value in expected.items() if found.get(key, 0) != value}
    return bool(found) and not wrong, f"{said}; found and expected: {wrong}"


def expressions():
    with open(dashboard_file) as text:
        dashboard = json.load(text)
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            # Grafana asks for these by another way than by query.
            metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").split(", ")
            yield f"variable {variable['name']}", f"count by ({label}) ({metric})"


report = until("the report of the quickstart", 120, read_report)
for job in JOBS:
    until(f"sums by {job}", 60, lambda: sums(job))
    print(f"{job}: the sums are the pools' own, of {len(report['approaches'])} pools")
count = 0
for title, expression in expressions():
    for job in JOBS:
        asked = expression.replace("$job", job).replace("$pool", ".*").replace("$__rate_interval", "5m")
        series, said = query(asked)
        numbers = [value for _, value in series or [] if value == value]
        if not numbers:
            sys.exit(f"{title}: no data by {job}: {said}\n{asked}")
    count += 1
print(f"{count} expressions of the dashboard answered, each by {' and '.join(JOBS)}")
