"""M/M/10 at a load of 8 erlangs in Ciw. Prints the p95 of waits."""
import sys

import ciw

network = ciw.create_network(
    arrival_distributions=[ciw.dists.Exponential(rate=8.0)],
    service_distributions=[ciw.dists.Exponential(rate=1.0)],
    number_of_servers=[10],
)
ciw.seed(1)
simulation = ciw.Simulation(network)
simulation.simulate_until_max_time(int(sys.argv[1]) / 8.0)
waits = [record.waiting_time for record in simulation.get_all_records()]
print(sorted(waits)[len(waits) * 95 // 100])
