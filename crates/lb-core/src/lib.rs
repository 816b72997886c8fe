//! The algorithm of a client-side priority load balancer for LLM backends, without any HTTP client.
