//! A priority load balancer over reqwest, async and blocking.
