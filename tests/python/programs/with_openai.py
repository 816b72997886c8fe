"""openai-python over a balancer, sync and async, on its own library."""

from __future__ import annotations

import asyncio

import httpx2
import openai

from lb_python import AsyncLoadBalancer, Backend, LoadBalancer, Served, Wishes, wishing


def token() -> str:
    return "an example token"


async def async_token() -> str:
    return "an example token"


def ask() -> str:
    balancer = LoadBalancer(
        [
            Backend("ptu.openai.azure.com", 1, api_key="an example key"),
            Backend("standard.openai.azure.com", 2, token_provider=token, weight=2, deployment="gpt-4o-2"),
        ],
        strikes=3,
        wait=(20.0, 100),
    )
    client = openai.AzureOpenAI(
        azure_endpoint="https://ptu.openai.azure.com",
        api_key="not sent",
        api_version="2024-10-21",
        http_client=httpx2.Client(transport=balancer),
    )
    with wishing(Wishes(affinity="a conversation")):
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hello"}]
        )
    served = raw.http_response.extensions["lb_python"]
    assert isinstance(served, Served)
    for backend in balancer.snapshot()["backends"]:
        print(backend["name"], backend["state"], backend["counters"]["successes"], backend.get("remaining_ms"))
    return raw.parse().choices[0].message.content or served.backend


async def ask_async() -> str:
    balancer = AsyncLoadBalancer(
        [Backend("ptu.openai.azure.com", 1, token_provider=async_token)],
        transport=httpx2.AsyncHTTPTransport(http2=True),
        on_status={404: "fail-over"},
    )
    client = openai.AsyncOpenAI(
        base_url="https://ptu.openai.azure.com/openai/v1",
        api_key="not sent",
        http_client=httpx2.AsyncClient(transport=balancer),
    )
    response = await client.responses.create(model="gpt-4o", input="Hello")
    return response.output_text


if __name__ == "__main__":
    print(ask(), asyncio.run(ask_async()))
