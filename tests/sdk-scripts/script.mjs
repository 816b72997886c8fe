// openai-node, unmodified, against running emulators: each step is printed, and the first that fails ends it.

import assert from 'node:assert/strict';
import OpenAI, { AzureOpenAI, toFile } from 'openai';
import { VERSION } from 'openai/version';

const KEY = 'k1';
const CHAT = 'gpt-4o';
const EMBEDDINGS = 'ada';
const HELLO = [{ role: 'user', content: 'Hello there' }];

/** Where the emulator of the script listens that does this. */
const at = (name) => process.env[`EMULATOR_${name}`];

const azure = (endpoint, { apiKey = KEY, maxRetries = 0 } = {}) =>
  new AzureOpenAI({ endpoint, apiKey, apiVersion: '2025-04-01-preview', maxRetries });

const v1 = (endpoint, { apiKey = KEY, maxRetries = 0 } = {}) =>
  new OpenAI({ baseURL: `${endpoint}/openai/v1`, apiKey, maxRetries });

/** The error of a call that has to fail with this class. */
async function refused(kind, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.constructor.name, kind.name, String(error));
    return error;
  }
  assert.fail(`no ${kind.name}`);
}

async function all(items) {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}

const chat = (client, more = {}) => client.chat.completions.create({ model: CHAT, messages: HELLO, ...more });
const respond = (client, more = {}) => client.responses.create({ model: CHAT, input: 'Hello there', ...more });

/** The steps, for one class of client; each method is one, in this order. */
class Steps {
  constructor(make) {
    this.make = make;
    this.client = make(at('HERE'));
    this.elsewhere = make(at('ELSEWHERE'));
  }

  async chat() {
    const completion = await chat(this.client);
    assert.equal(completion.choices[0].message.content, 'here word1 word2');
    assert.equal(completion.choices[0].finish_reason, 'stop');
    assert.deepEqual([completion.usage.prompt_tokens, completion.usage.total_tokens], [3, 6]);
    assert.ok(completion._request_id, 'a request id');
    assert.equal(completion.choices[0].content_filter_results.hate.severity, 'safe');
  }

  async chatCutByMaxTokens() {
    for (const name of ['max_tokens', 'max_completion_tokens']) {
      const [choice] = (await chat(this.client, { [name]: 2 })).choices;
      assert.deepEqual([choice.message.content, choice.finish_reason], ['here word1', 'length']);
    }
  }

  async chatRawHeaders() {
    const { data, response, request_id } = await chat(this.client).withResponse();
    assert.ok(response.headers.get('apim-request-id') && response.headers.get('x-ms-region'), "Azure's headers");
    assert.equal(request_id, response.headers.get('x-request-id'));
    assert.equal(data.object, 'chat.completion');
  }

  async chatStream() {
    const chunks = await all(await chat(this.client, { stream: true, stream_options: { include_usage: true } }));
    assert.deepEqual([chunks[0].choices, chunks[0].id], [[], '']);
    assert.ok(chunks[0].prompt_filter_results, "the filter's chunk comes first");
    const choices = chunks.flatMap((chunk) => chunk.choices);
    assert.equal(choices.map((choice) => choice.delta.content ?? '').join(''), 'here word1 word2');
    assert.deepEqual([chunks.at(-1).choices, chunks.at(-1).usage.total_tokens], [[], 6]);
  }

  async chatStreamWithHelper() {
    const stream = this.client.chat.completions.stream({ model: CHAT, messages: HELLO });
    const deltas = [];
    stream.on('content', (delta) => deltas.push(delta));
    const completion = await stream.finalChatCompletion();
    assert.equal(deltas.join(''), 'here word1 word2');
    assert.equal(completion.choices[0].finish_reason, 'stop');
  }

  async embeddings() {
    // Without a format this client asks for base64 and decodes it, and would take numbers as well.
    const answer = await this.client.embeddings.create({ model: EMBEDDINGS, input: ['one', 'two'] });
    const vector = Array(8).fill(0.125);
    assert.deepEqual(answer.data.map((item) => Array.from(item.embedding)), [vector, vector]);
    const numbers = await this.client.embeddings.create({ model: EMBEDDINGS, input: 'one', encoding_format: 'float' });
    assert.deepEqual(numbers.data[0].embedding, vector);
    const text = await this.client.embeddings.create({ model: EMBEDDINGS, input: 'one', encoding_format: 'base64' });
    assert.equal(text.data[0].embedding, Buffer.from(Float32Array.from(vector).buffer).toString('base64'));
  }

  async response() {
    const response = await respond(this.client, { metadata: { a: 'b' } });
    assert.deepEqual([response.status, response.output_text], ['completed', 'here word1 word2']);
    assert.deepEqual([response.usage.input_tokens, response.usage.total_tokens], [3, 6]);
    assert.deepEqual(await this.client.responses.retrieve(response.id), response);
    await this.client.responses.delete(response.id);
    await refused(OpenAI.NotFoundError, () => this.client.responses.retrieve(response.id));
  }

  async responseThatGoesOn() {
    const first = await respond(this.client);
    const second = await respond(this.client, { previous_response_id: first.id });
    assert.equal(second.previous_response_id, first.id);
    assert.ok(second.usage.input_tokens > first.usage.input_tokens, 'the conversation is charged');
    const error = await refused(OpenAI.BadRequestError, () =>
      respond(this.elsewhere, { previous_response_id: first.id }),
    );
    assert.deepEqual([error.code, error.param], ['previous_response_not_found', 'previous_response_id']);
    await refused(OpenAI.NotFoundError, () => this.elsewhere.responses.retrieve(first.id));
  }

  async responseStream() {
    const events = await all(await respond(this.client, { stream: true }));
    assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
    assert.deepEqual([events[0].type, events.at(-1).type], ['response.created', 'response.completed']);
    const deltas = events.filter((event) => event.type === 'response.output_text.delta');
    assert.equal(deltas.map((event) => event.delta).join(''), 'here word1 word2');
    const kept = await this.client.responses.retrieve(events.at(-1).response.id);
    assert.equal(kept.output_text, 'here word1 word2');
  }

  async responseStreamWithHelper() {
    const stream = this.client.responses.stream({ model: CHAT, input: 'Hello there' });
    const deltas = [];
    stream.on('response.output_text.delta', (event) => deltas.push(event.delta));
    const response = await stream.finalResponse();
    assert.deepEqual([deltas.join(''), response.output_text], ['here word1 word2', 'here word1 word2']);
  }

  async files() {
    const upload = await toFile(Buffer.from('one\ntwo\n'), 'a.jsonl');
    const file = await this.client.files.create({ file: upload, purpose: 'batch' });
    assert.deepEqual([file.bytes, file.filename, file.purpose, file.status], [8, 'a.jsonl', 'batch', 'processed']);
    assert.deepEqual(await this.client.files.retrieve(file.id), file);
    assert.equal(await (await this.client.files.content(file.id)).text(), 'one\ntwo\n');
    const listed = await all(this.client.files.list({ limit: 1 }));
    assert.equal(listed[0].id, file.id, 'newest first');
    await refused(OpenAI.NotFoundError, () => this.elsewhere.files.retrieve(file.id));
    assert.equal((await this.client.files.delete(file.id)).deleted, true);
    await refused(OpenAI.NotFoundError, () => this.client.files.content(file.id));
  }

  async batches() {
    const body = { model: CHAT, messages: HELLO };
    const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: '/chat/completions', body });
    const upload = await toFile(Buffer.from(line), 'in.jsonl');
    const file = await this.client.files.create({ file: upload, purpose: 'batch' });
    const create = () =>
      this.client.batches.create({ input_file_id: file.id, endpoint: '/chat/completions', completion_window: '24h' });
    let batch = await create();
    const seen = [batch.status];
    while (!['completed', 'failed'].includes(batch.status) && seen.length < 5) {
      batch = await this.client.batches.retrieve(batch.id);
      seen.push(batch.status);
    }
    assert.deepEqual(seen, ['validating', 'in_progress', 'completed']);
    const output = JSON.parse(await (await this.client.files.content(batch.output_file_id)).text());
    assert.equal(output.custom_id, 'a');
    assert.equal(output.response.body.choices[0].message.content, 'here word1 word2');
    const other = await create();
    assert.equal((await this.client.batches.cancel(other.id)).status, 'cancelling');
    assert.equal((await this.client.batches.retrieve(other.id)).status, 'cancelled');
    const listed = (await all(this.client.batches.list({ limit: 1 }))).map((item) => item.id);
    assert.deepEqual(listed.slice(0, 2), [other.id, batch.id], 'newest first, over pages');
    await refused(OpenAI.NotFoundError, () => this.elsewhere.batches.retrieve(batch.id));
    await refused(OpenAI.ConflictError, () => this.client.batches.cancel(batch.id));
  }

  async models() {
    const models = (await all(this.client.models.list())).map((model) => model.id);
    assert.deepEqual(models.sort(), [EMBEDDINGS, CHAT]);
    assert.equal((await this.client.models.retrieve(CHAT)).id, CHAT);
  }

  async error400() {
    for (const [param, value, code] of [
      ['max_tokens', 0, 'integer_below_min_value'],
      ['max_tokens', -1, 'integer_below_min_value'],
      ['max_tokens', 'x', 'invalid_type'],
      ['temperature', 2.5, 'decimal_above_max_value'],
    ]) {
      const error = await refused(OpenAI.BadRequestError, () => chat(this.client, { [param]: value }));
      assert.deepEqual([error.code, error.param], [code, param]);
    }
    const error = await refused(OpenAI.BadRequestError, () => chat(this.client, { messages: [] }));
    assert.deepEqual([error.type, error.param], ['invalid_request_error', 'messages']);
  }

  async error401() {
    const stranger = this.make(at('HERE'), { apiKey: 'wrong' });
    const error = await refused(OpenAI.AuthenticationError, () => chat(stranger));
    assert.equal(error.code, '401');
    assert.ok(error.requestID, 'a request id');
  }

  async error403() {
    await refused(OpenAI.PermissionDeniedError, () => chat(this.make(at('FORBIDDEN'))));
  }

  async error404() {
    const error = await refused(OpenAI.NotFoundError, () => chat(this.client, { model: 'none' }));
    assert.equal(error.code, 'DeploymentNotFound');
    await refused(OpenAI.NotFoundError, () => this.client.models.retrieve('none'));
  }

  async error429() {
    for (const call of [chat, respond, (client) => chat(client, { stream: true })]) {
      const error = await refused(OpenAI.RateLimitError, () => call(this.make(at('THROTTLED'))));
      assert.deepEqual([error.headers.get('retry-after'), error.code], ['7', '429']);
    }
  }

  async error500() {
    await refused(OpenAI.InternalServerError, () => chat(this.make(at('BROKEN'))));
    const busy = await refused(OpenAI.InternalServerError, () => chat(this.make(at('BUSY'))));
    assert.equal(busy.status, 503);
  }

  async retryAfterTheHint() {
    const client = this.make(at('FLAKY'), { maxRetries: 1 });
    const began = performance.now();
    // Of two requests one is refused with a hint of a second, which the SDK waits for.
    const reasons = [(await chat(client)).choices[0].finish_reason, (await chat(client)).choices[0].finish_reason];
    assert.deepEqual(reasons, ['stop', 'stop']);
    // A timer of Node may be early by a millisecond.
    assert.ok(performance.now() - began >= 990, 'it waited');
  }

  async errorOfAConnection() {
    await refused(OpenAI.APIConnectionError, () => chat(this.make('http://127.0.0.1:1')));
  }
}

for (const [name, make] of [
  ['AzureOpenAI', azure],
  ['OpenAI on /openai/v1', v1],
]) {
  const steps = new Steps(make);
  for (const step of Object.getOwnPropertyNames(Steps.prototype).filter((step) => step !== 'constructor')) {
    try {
      await steps[step]();
    } catch (error) {
      console.log(`FAILED openai-node ${VERSION}, ${name}: ${step}: ${error}`);
      process.exit(1);
    }
    console.log(`ok     openai-node ${VERSION}, ${name}: ${step}`);
  }
}
