//! What the benchmarks share: pools in given states, the floor, and the port of the Python package.
