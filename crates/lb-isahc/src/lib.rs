//! A priority load balancer over isahc, async and blocking.
