"""openai-python, unmodified, against running emulators: each step is printed, and the first that fails ends it."""

import base64
import io
import json
import os
import struct
import sys
import time

import openai
from openai import AzureOpenAI, OpenAI

KEY = "k1"
CHAT = "gpt-4o"
EMBEDDINGS = "ada"
HELLO = [{"role": "user", "content": "Hello there"}]
# Where the emulators of the script listen, by what they do.
HERE, ELSEWHERE, THROTTLED, FLAKY, FORBIDDEN, BROKEN, BUSY = (
    os.environ[f"EMULATOR_{name}"]
    for name in ["HERE", "ELSEWHERE", "THROTTLED", "FLAKY", "FORBIDDEN", "BROKEN", "BUSY"]
)


def azure(url, key=KEY, retries=0):
    return AzureOpenAI(azure_endpoint=url, api_key=key, api_version="2025-04-01-preview", max_retries=retries)


def v1(url, key=KEY, retries=0):
    return OpenAI(base_url=f"{url}/openai/v1", api_key=key, max_retries=retries)


def equal(found, wanted):
    assert found == wanted, f"{found!r} instead of {wanted!r}"


def refused(kind, call):
    """The error of a call that has to fail with this class."""
    try:
        call()
    except openai.APIError as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def chat(client, **more):
    return client.chat.completions.create(model=CHAT, messages=HELLO, **more)


def respond(client, **more):
    return client.responses.create(model=CHAT, input="Hello there", **more)


class Steps:
    """The steps, for one class of client; each method is one, in this order."""

    def __init__(self, make):
        self.make = make
        self.client = make(HERE)
        self.elsewhere = make(ELSEWHERE)

    def chat(self):
        completion = chat(self.client)
        equal(completion.choices[0].message.content, "here word1 word2")
        equal(completion.choices[0].finish_reason, "stop")
        equal((completion.usage.prompt_tokens, completion.usage.total_tokens), (3, 6))
        assert completion._request_id, "a request id"
        equal(completion.choices[0].content_filter_results["hate"]["severity"], "safe")

    def chat_cut_by_max_tokens(self):
        for name in ["max_tokens", "max_completion_tokens"]:
            choice = chat(self.client, **{name: 2}).choices[0]
            equal((choice.message.content, choice.finish_reason), ("here word1", "length"))

    def chat_raw_headers(self):
        raw = self.client.chat.completions.with_raw_response.create(model=CHAT, messages=HELLO)
        assert raw.headers["apim-request-id"] and raw.headers["x-ms-region"], "Azure's headers"
        equal(raw.parse().object, "chat.completion")

    def chat_stream(self):
        chunks = list(chat(self.client, stream=True, stream_options={"include_usage": True}))
        equal((chunks[0].choices, chunks[0].id), ([], ""))
        assert chunks[0].prompt_filter_results, "the filter's chunk comes first"
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        equal(text, "here word1 word2")
        equal((chunks[-1].choices, chunks[-1].usage.total_tokens), ([], 6))

    def chat_stream_with_helper(self):
        with self.client.chat.completions.stream(model=CHAT, messages=HELLO) as stream:
            deltas = [event.delta for event in stream if event.type == "content.delta"]
            completion = stream.get_final_completion()
        equal("".join(deltas), "here word1 word2")
        equal(completion.choices[0].finish_reason, "stop")

    def embeddings(self):
        answer = self.client.embeddings.create(model=EMBEDDINGS, input=["one", "two"])
        equal([item.embedding for item in answer.data], [[0.125] * 8] * 2)
        numbers = self.client.embeddings.create(model=EMBEDDINGS, input="one", encoding_format="float")
        equal(numbers.data[0].embedding, [0.125] * 8)
        text = self.client.embeddings.create(model=EMBEDDINGS, input="one", encoding_format="base64")
        equal(base64.b64decode(text.data[0].embedding), struct.pack("<8f", *[0.125] * 8))

    def response(self):
        response = respond(self.client, metadata={"a": "b"})
        equal((response.status, response.output_text), ("completed", "here word1 word2"))
        equal((response.usage.input_tokens, response.usage.total_tokens), (3, 6))
        fetched = self.client.responses.retrieve(response.id)
        equal(fetched.to_dict(), response.to_dict())
        self.client.responses.delete(response.id)
        refused(openai.NotFoundError, lambda: self.client.responses.retrieve(response.id))

    def response_that_goes_on(self):
        first = respond(self.client)
        second = respond(self.client, previous_response_id=first.id)
        equal(second.previous_response_id, first.id)
        assert second.usage.input_tokens > first.usage.input_tokens, "the conversation is charged"
        error = refused(openai.BadRequestError, lambda: respond(self.elsewhere, previous_response_id=first.id))
        equal((error.code, error.param), ("previous_response_not_found", "previous_response_id"))
        refused(openai.NotFoundError, lambda: self.elsewhere.responses.retrieve(first.id))

    def response_stream(self):
        events = list(respond(self.client, stream=True))
        equal([event.sequence_number for event in events], list(range(len(events))))
        equal((events[0].type, events[-1].type), ("response.created", "response.completed"))
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        equal("".join(deltas), "here word1 word2")
        equal(self.client.responses.retrieve(events[-1].response.id).output_text, "here word1 word2")

    def response_stream_with_helper(self):
        with self.client.responses.stream(model=CHAT, input="Hello there") as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
            response = stream.get_final_response()
        equal(("".join(deltas), response.output_text), ("here word1 word2", "here word1 word2"))

    def files(self):
        file = self.client.files.create(file=("a.jsonl", io.BytesIO(b"one\ntwo\n")), purpose="batch")
        equal((file.bytes, file.filename, file.purpose, file.status), (8, "a.jsonl", "batch", "processed"))
        equal(self.client.files.retrieve(file.id).to_dict(), file.to_dict())
        equal(self.client.files.content(file.id).read(), b"one\ntwo\n")
        assert file.id in [listed.id for listed in self.client.files.list(limit=1)], "all pages are read"
        refused(openai.NotFoundError, lambda: self.elsewhere.files.retrieve(file.id))
        equal(self.client.files.delete(file.id).deleted, True)
        refused(openai.NotFoundError, lambda: self.client.files.content(file.id))

    def batches(self):
        body = {"model": CHAT, "messages": HELLO}
        line = json.dumps({"custom_id": "a", "method": "POST", "url": "/chat/completions", "body": body})
        file = self.client.files.create(file=("in.jsonl", line.encode()), purpose="batch")

        def create():
            return self.client.batches.create(
                input_file_id=file.id, endpoint="/chat/completions", completion_window="24h"
            )

        batch = create()
        seen = [batch.status]
        while batch.status not in ["completed", "failed"] and len(seen) < 5:
            batch = self.client.batches.retrieve(batch.id)
            seen.append(batch.status)
        equal(seen, ["validating", "in_progress", "completed"])
        output = json.loads(self.client.files.content(batch.output_file_id).text)
        equal(output["custom_id"], "a")
        equal(output["response"]["body"]["choices"][0]["message"]["content"], "here word1 word2")
        other = create()
        equal(self.client.batches.cancel(other.id).status, "cancelling")
        equal(self.client.batches.retrieve(other.id).status, "cancelled")
        listed = [listed.id for listed in self.client.batches.list(limit=1)]
        assert listed[:2] == [other.id, batch.id], "newest first, over pages"
        refused(openai.NotFoundError, lambda: self.elsewhere.batches.retrieve(batch.id))
        refused(openai.ConflictError, lambda: self.client.batches.cancel(batch.id))

    def models(self):
        equal(sorted(model.id for model in self.client.models.list()), [EMBEDDINGS, CHAT])
        equal(self.client.models.retrieve(CHAT).id, CHAT)

    def error_400(self):
        for parameters, code in [
            ({"max_tokens": 0}, "integer_below_min_value"),
            ({"max_tokens": -1}, "integer_below_min_value"),
            ({"max_tokens": "x"}, "invalid_type"),
            ({"temperature": 2.5}, "decimal_above_max_value"),
        ]:
            error = refused(openai.BadRequestError, lambda: chat(self.client, **parameters))
            equal((error.code, error.param), (code, next(iter(parameters))))
        error = refused(openai.BadRequestError, lambda: self.client.chat.completions.create(model=CHAT, messages=[]))
        equal((error.type, error.param), ("invalid_request_error", "messages"))

    def error_401(self):
        error = refused(openai.AuthenticationError, lambda: chat(self.make(HERE, key="wrong")))
        equal(error.code, "401")
        assert error.request_id, "a request id"

    def error_403(self):
        refused(openai.PermissionDeniedError, lambda: chat(self.make(FORBIDDEN)))

    def error_404(self):
        error = refused(
            openai.NotFoundError, lambda: self.client.chat.completions.create(model="none", messages=HELLO)
        )
        equal(error.code, "DeploymentNotFound")
        refused(openai.NotFoundError, lambda: self.client.models.retrieve("none"))

    def error_429(self):
        for call in [chat, respond, lambda client: chat(client, stream=True)]:
            error = refused(openai.RateLimitError, lambda: call(self.make(THROTTLED)))
            equal((error.response.headers["retry-after"], error.code), ("7", "429"))

    def error_500(self):
        refused(openai.InternalServerError, lambda: chat(self.make(BROKEN)))
        equal(refused(openai.InternalServerError, lambda: chat(self.make(BUSY))).status_code, 503)

    def retry_after_the_hint(self):
        client = self.make(FLAKY, retries=1)
        began = time.monotonic()
        # Of two requests one is refused with a hint of a second, which the SDK waits for.
        equal([chat(client).choices[0].finish_reason for _ in range(2)], ["stop"] * 2)
        assert time.monotonic() - began >= 1, "it waited"

    def error_of_a_connection(self):
        refused(openai.APIConnectionError, lambda: chat(self.make("http://127.0.0.1:1")))


def main():
    for name, make in [("AzureOpenAI", azure), ("OpenAI on /openai/v1", v1)]:
        steps = Steps(make)
        for step in [step for step in vars(Steps) if not step.startswith("_")]:
            try:
                getattr(steps, step)()
            except Exception as error:
                print(f"FAILED openai-python {openai.__version__}, {name}: {step}: {error!r}", flush=True)
                sys.exit(1)
            print(f"ok     openai-python {openai.__version__}, {name}: {step}", flush=True)


main()
