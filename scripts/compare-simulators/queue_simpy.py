"""M/M/10 at a load of 8 erlangs in SimPy, as its guide writes a queue: a process per customer. Prints the p95 of waits."""
import random
import sys

import simpy

waits, rng = [], random.Random(1)


def customer(env, servers):
    arrived = env.now
    with servers.request() as turn:
        yield turn
        waits.append(env.now - arrived)
        yield env.timeout(rng.expovariate(1.0))


def source(env, servers, customers):
    for _ in range(customers):
        yield env.timeout(rng.expovariate(8.0))
        env.process(customer(env, servers))


env = simpy.Environment()
env.process(source(env, simpy.Resource(env, capacity=10), int(sys.argv[1])))
env.run()
print(sorted(waits)[len(waits) * 95 // 100])
