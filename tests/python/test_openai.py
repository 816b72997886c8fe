"""openai-python as it comes from its registry, over balancers, against running emulators."""

from __future__ import annotations

import asyncio
import importlib
import io
from typing import Any, Iterator

import openai
import pytest
from conftest import LIBRARIES, states
from emulator import Emulators

from lb_python import AsyncLoadBalancer, Backend, LoadBalancer, Wishes, wishing

# Whichever the SDK stands on.
httpx: Any = importlib.import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")
HELLO: Any = [{"role": "user", "content": "Hello there"}]


@pytest.fixture(scope="module")
def emulators() -> Iterator[Emulators]:
    with Emulators() as running:
        yield running


@pytest.fixture(scope="module")
def here(emulators: Emulators) -> str:
    return emulators.start("--name", "here", "--completion-tokens", "3", key="key-here")


@pytest.fixture(scope="module")
def throttled(emulators: Emulators) -> str:
    return emulators.start("--fail-every", "1", "--fail-status", "429", "--fail-hint", "7", key="key-throttled")


def azure(balancer: Any, **arguments: Any) -> Any:
    """A client of the SDK over a balancer, whose own endpoint and key go nowhere."""
    arguments = {"azure_endpoint": "https://caller.invalid", "api_key": "CANARY", "api_version": "2025-04-01-preview",
                 "max_retries": 0, **arguments}
    if isinstance(balancer, AsyncLoadBalancer):
        return openai.AsyncAzureOpenAI(http_client=httpx.AsyncClient(transport=balancer), **arguments)
    return openai.AzureOpenAI(http_client=httpx.Client(transport=balancer), **arguments)


def backends(throttled: str, here: str) -> Any:
    return [Backend(throttled, 1, api_key="key-throttled", name="ptu"), Backend(here, 2, api_key="key-here", name="standard")]


def test_what_one_resource_refuses_another_serves(throttled: str, here: str) -> None:
    balancer = LoadBalancer(backends(throttled, here))
    client = azure(balancer)
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
    assert raw.parse().choices[0].message.content == "here word1 word2"
    assert raw.http_response.extensions["lb_python"].trail == (("ptu", "429"),)
    parts = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "here word1 word2"
    assert client.embeddings.create(model="ada", input="text").data[0].embedding
    assert states(balancer) == ["cooling", "available"]


def test_the_same_async(throttled: str, here: str) -> None:
    async def go() -> None:
        async def provider() -> str:
            return "key-here"

        some = [*backends(throttled, here)[:1], Backend(here, 2, token_provider=provider)]
        client = azure(AsyncLoadBalancer(some))
        completion = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert completion.choices[0].message.content == "here word1 word2"
        parts = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        text = [part.choices[0].delta.content or "" async for part in parts if part.choices]
        assert "".join(text) == "here word1 word2"
        both = await asyncio.gather(*(client.responses.create(model="gpt-4o", input="Hello") for _ in range(8)))
        assert {one.output_text for one in both} == {"here word1 word2"}
        await client.close()

    asyncio.run(go())


def test_an_upload_goes_on_to_the_next_too(throttled: str, here: str) -> None:
    client = azure(LoadBalancer(backends(throttled, here)))
    made = client.files.create(file=("lines.jsonl", io.BytesIO(b'{"a":1}\n')), purpose="batch")
    assert made.id and made.bytes == 8


def test_where_all_are_throttled_the_sdk_hears_when_to_come_back(throttled: str) -> None:
    client = azure(LoadBalancer([Backend(throttled, 1, api_key="key-throttled")]))
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert raised.value.response.headers["retry-after"] == "7"
    assert 6_000 < int(raised.value.response.headers["retry-after-ms"]) <= 7_000
    assert "cooling after status 429" in str(raised.value)


def test_a_dead_resource_is_left_for_a_live_one(here: str) -> None:
    # Nobody listens on the port of discarded packets.
    balancer = LoadBalancer([Backend("http://127.0.0.1:9", 1), Backend(here, 2)])
    client = azure(balancer, api_key="key-here")
    assert client.chat.completions.create(model="gpt-4o", messages=HELLO).choices
    assert states(balancer) == ["suspect", "available"]


def test_names_of_models_are_each_resources_own(emulators: Emulators) -> None:
    named = emulators.start("--name", "named", "--deployment", "gpt-4o-eu", "--completion-tokens", "1")
    client = openai.OpenAI(
        base_url="https://caller.invalid/openai/v1",
        api_key="CANARY",
        max_retries=0,
        http_client=httpx.Client(transport=LoadBalancer([Backend(named, 1, api_key="k1", model="gpt-4o-eu")])),
    )
    assert client.responses.create(model="gpt-4o", input="Hello").output_text == "named"
    assert client.chat.completions.create(model="gpt-4o", messages=HELLO).choices[0].message.content == "named"


def test_a_pin_around_a_call(here: str, throttled: str) -> None:
    client = azure(LoadBalancer(backends(throttled, here)))
    with wishing(Wishes(pin="standard")):
        assert client.chat.completions.create(model="gpt-4o", messages=HELLO).choices
    with wishing(Wishes(pin="ptu")), pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="gpt-4o", messages=HELLO)


def test_the_sdks_library_is_the_one_under_test() -> None:
    assert httpx.__name__ in LIBRARIES
