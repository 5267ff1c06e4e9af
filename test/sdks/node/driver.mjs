// Does with a JavaScript library what the test asks for: a request a line on stdin, its outcome a line on stdout. The first argument
// names the library, the environment where the gateway is. A line `leave` makes the caller of the request that runs go away.
import { createInterface } from "node:readline";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateObject, generateText, jsonSchema, streamObject, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const baseURL = process.env.GATEWAY_URL;
// What structured outputs are to be.
const Weather = z.object({ city: z.string(), degrees: z.number().int() });

const usage = (u) => (u ? { input: u.input_tokens ?? u.prompt_tokens, output: u.output_tokens ?? u.completion_tokens ?? 0 } : null);

const failure = (e) => {
  if (e instanceof OpenAI.APIError)
    return {
      class: e.constructor.name, status: e.status, code: e.code, param: e.param, message: e.message, retry_after: e.headers?.get("retry-after") ?? "",
    };
  return { class: e.constructor.name, status: e.statusCode, code: e.data?.error?.code, param: e.data?.error?.param, message: e.message };
};

const completion = (c) => {
  const { message, finish_reason } = c.choices[0];
  const calls = (message.tool_calls ?? []).map((t) => ({ id: t.id, name: t.function.name, arguments: t.function.arguments }));
  return { text: message.content ?? "", calls, finish: finish_reason, model: c.model, usage: usage(c.usage) };
};

const response = (r) => {
  const calls = r.output.filter((o) => o.type === "function_call").map((o) => ({ id: o.call_id, name: o.name, arguments: o.arguments }));
  return { text: r.output_text, calls, finish: r.status, model: r.model, usage: usage(r.usage), id: r.id, continues: r.previous_response_id ?? "" };
};

const numbers = (v) => {
  if (typeof v !== "string") return v;
  const raw = Buffer.from(v, "base64");
  return Array.from({ length: raw.length / 4 }, (_, i) => raw.readFloatLE(4 * i));
};

async function happened(stream) {
  const events = [];
  let text = "", out = {};
  for await (const event of stream) {
    if (!events.includes(event.type)) events.push(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
    if (event.type === "response.completed" || event.type === "response.incomplete") {
      // The raw event has no output_text, which is the SDK's own.
      const said = event.response.output.flatMap((o) => o.content ?? []).map((p) => p.text).join("");
      out = { ...response(event.response), text: said };
    }
  }
  if (out.text !== text) throw new Error(`the pieces ${text} are not the whole ${out.text}`);
  return { ...out, events };
}

// OpenAI's own SDK.
const official = {
  chat: async (c, params, o) => completion(await c.chat.completions.create(params, o)),
  async chat_stream(c, params, o) {
    const out = { text: "", calls: [], pieces: 0, usage: null };
    for await (const chunk of await c.chat.completions.create({ ...params, stream: true }, o)) {
      out.model = chunk.model;
      if (chunk.usage) out.usage = usage(chunk.usage);
      for (const choice of chunk.choices) {
        out.finish = choice.finish_reason ?? out.finish;
        if (choice.delta.content) (out.text += choice.delta.content), out.pieces++;
        for (const t of choice.delta.tool_calls ?? []) {
          out.calls[t.index] ??= { id: t.id, name: t.function.name, arguments: "" };
          out.calls[t.index].arguments += t.function.arguments ?? "";
        }
      }
    }
    return out;
  },
  async chat_parse(c, params, o) {
    const got = await c.chat.completions.parse({ ...params, response_format: zodResponseFormat(Weather, "Weather") }, o);
    return { ...completion(got), parsed: got.choices[0].message.parsed };
  },
  async chat_stream_parse(c, params, o) {
    let pieces = 0;
    const stream = c.chat.completions.stream({ ...params, response_format: zodResponseFormat(Weather, "Weather") }, o);
    stream.on("content.delta", () => pieces++);
    const got = await stream.finalChatCompletion();
    return { ...completion(got), parsed: got.choices[0].message.parsed, pieces };
  },
  async completions(c, params, o) {
    const got = await c.completions.create(params, o);
    return { text: got.choices[0].text, finish: got.choices[0].finish_reason, model: got.model, usage: usage(got.usage) };
  },
  async completions_stream(c, params, o) {
    const out = { text: "", pieces: 0, usage: null };
    for await (const chunk of await c.completions.create({ ...params, stream: true }, o)) {
      out.model = chunk.model;
      if (chunk.usage) out.usage = usage(chunk.usage);
      for (const choice of chunk.choices) {
        out.finish = choice.finish_reason ?? out.finish;
        if (choice.text) (out.text += choice.text), out.pieces++;
      }
    }
    return out;
  },
  async embeddings(c, params, o) {
    const got = await c.embeddings.create(params, o);
    return { vectors: got.data.map((d) => numbers(d.embedding)), model: got.model };
  },
  responses: async (c, params, o) => response(await c.responses.create(params, o)),
  responses_stream: async (c, params, o) => happened(await c.responses.create({ ...params, stream: true }, o)),
  async responses_parse(c, params, o) {
    const got = await c.responses.parse({ ...params, text: { format: zodTextFormat(Weather, "Weather") } }, o);
    return { ...response(got), parsed: got.output_parsed };
  },
  async responses_stream_parse(c, params, o) {
    const stream = c.responses.stream({ ...params, text: { format: zodTextFormat(Weather, "Weather") } }, o);
    const out = await happened(stream);
    return { ...out, parsed: (await stream.finalResponse()).output_parsed };
  },
  async models_list(c, _, o) {
    const names = [];
    for await (const m of c.models.list(o)) names.push(m.id);
    return { names };
  },
  models_get: async (c, params, o) => ({ names: [(await c.models.retrieve(params.model, o)).id] }),
};

function node(request, signal) {
  const client = new OpenAI({ baseURL, apiKey: "unused", maxRetries: request.retries ?? 0, timeout: 30_000 });
  return official[request.op](client, request.params ?? {}, { signal });
}

// The Vercel AI SDK, over a provider of models.
const vercel = (provider) => async (request, abortSignal) => {
  const { op, params } = request;
  const kind = op.split("_")[0];
  if (kind === "embeddings") {
    const got = await embedMany({ model: provider.embedding(params.model), values: params.input, maxRetries: 0, abortSignal });
    return { vectors: got.embeddings };
  }
  const tools = params.tools && Object.fromEntries(params.tools.map((t) => t.function ?? t).map(
    (f) => [f.name, tool({ description: f.description, inputSchema: jsonSchema(f.parameters) })]));
  const ask = {
    model: provider[kind](params.model), maxRetries: 0, abortSignal, tools,
    ...(params.messages ? { messages: params.messages } : { prompt: params.prompt ?? params.input }),
  };
  const result = async (r) => ({
    text: await r.text, finish: (await r.finishReason).replace("-", "_"),
    calls: (await r.toolCalls).map((t) => ({ id: t.toolCallId, name: t.toolName, arguments: JSON.stringify(t.input) })),
    usage: ((u) => ({ input: u.inputTokens, output: u.outputTokens }))(await r.usage),
  });
  let wrong;
  const onError = ({ error }) => (wrong = error);
  if (op.endsWith("stream_parse")) {
    const stream = streamObject({ ...ask, schema: Weather, onError });
    for await (const _ of stream.partialObjectStream);
    if (wrong) throw wrong;
    return { parsed: await stream.object };
  }
  if (op.endsWith("_parse")) return { parsed: (await generateObject({ ...ask, schema: Weather })).object };
  if (!op.endsWith("_stream")) return result(await generateText(ask));
  const stream = streamText({ ...ask, onError });
  let pieces = 0;
  for await (const _ of stream.textStream) pieces++;
  if (wrong) throw wrong;
  abortSignal.throwIfAborted();
  return { ...(await result(stream)), pieces };
};

const options = { baseURL, apiKey: "unused" };
const compatible = createOpenAICompatible({ ...options, name: "gateway", includeUsage: true, supportsStructuredOutputs: true });
const openai = createOpenAI(options);
const libraries = {
  node,
  vercel: vercel({ chat: openai.chat, completions: openai.completion, responses: openai.responses, embedding: openai.embedding }),
  "vercel-compatible": vercel({
    chat: compatible.chatModel, completions: compatible.completionModel, embedding: compatible.textEmbeddingModel ?? compatible.embeddingModel,
  }),
};
const run = libraries[process.argv[2]];

let running;
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "leave") {
    running.abort();
    continue;
  }
  const leaving = (running = new AbortController());
  run(JSON.parse(line), leaving.signal)
    // A raw stream of the SDK just ends when it is aborted.
    .then((out) => (leaving.signal.aborted ? { left: true } : out), (e) => (leaving.signal.aborted ? { left: true } : { error: failure(e) }))
    .then((out) => console.log(JSON.stringify(out)));
}
