"""A priority load balancer for Azure OpenAI and OpenAI-compatible backends, as a transport of httpx and httpx2.

A request goes to the best priority that is available now, and what fails goes on to the next one at once:

    import httpx
    from lb_python import Backend, LoadBalancer

    balancer = LoadBalancer([
        Backend("ptu.openai.azure.com", 1, api_key="..."),
        Backend("standard.openai.azure.com", 2, api_key="..."),
    ])
    client = httpx.Client(transport=balancer)

`AsyncLoadBalancer` is the same for `httpx.AsyncClient`. Both take the requests of httpx and of httpx2, whichever is there.
What a request may wish is said by `Wishes`: in its `extensions["lb_python"]`, or around a call of an SDK with `wishing`.
"""

from ._core import Backend, Exhausted, Wishes, __version__
from ._dispatch import CredentialError, Served
from ._options import PoolOptions, Snapshot
from ._transport import AsyncLoadBalancer, LoadBalancer
from ._wishing import wishing

__all__ = [
    "AsyncLoadBalancer",
    "Backend",
    "CredentialError",
    "Exhausted",
    "LoadBalancer",
    "PoolOptions",
    "Served",
    "Snapshot",
    "Wishes",
    "__version__",
    "wishing",
]
