"""Does with a Python library what the test asks for: a request a line on stdin, its outcome a line on stdout.

The first argument names the library, the environment where the gateway is. A line `leave` makes the caller of the request that
runs go away.
"""

import asyncio
import base64
import inspect
import json
import os
import struct
import sys

import openai
from pydantic import BaseModel

URL = os.environ["GATEWAY_URL"]


class Weather(BaseModel):
    """What structured outputs are to be."""

    city: str
    degrees: int


def usage(u):
    if u is None:
        return None
    first, second = (u.input_tokens, u.output_tokens) if hasattr(u, "input_tokens") else (u.prompt_tokens, u.completion_tokens)
    return {"input": first, "output": second or 0}


def failure(e):
    if isinstance(e, openai.APIStatusError):
        return {
            "class": type(e).__name__,
            "status": e.status_code,
            "code": e.code,
            "param": e.param,
            "message": e.message,
            "retry_after": e.response.headers.get("retry-after", ""),
        }
    if isinstance(e, openai.APIError):
        return {"class": type(e).__name__, "code": e.code, "param": e.param, "message": e.message}
    return {"class": type(e).__name__, "message": str(e)}


class Official:
    """OpenAI's own SDK."""

    def client(self, retries):
        return openai.AsyncOpenAI(base_url=URL, api_key="unused", max_retries=retries, timeout=30)

    async def run(self, request):
        client = self.client(request.get("retries", 0))
        async with client:
            return await getattr(self, request["op"])(client, request.get("params", {}))

    @staticmethod
    def asked(method, params):
        """Unknown members go where the SDK wants them."""
        known = inspect.signature(method).parameters
        extra = {k: v for k, v in params.items() if k not in known}
        return {k: v for k, v in params.items() if k in known} | ({"extra_body": extra} if extra else {})

    @staticmethod
    def completion(c):
        choice = c.choices[0]
        calls = [{"id": t.id, "name": t.function.name, "arguments": t.function.arguments} for t in choice.message.tool_calls or []]
        return {"text": choice.message.content or "", "calls": calls, "finish": choice.finish_reason, "model": c.model, "usage": usage(c.usage)}

    async def chat(self, client, params):
        create = client.chat.completions.create
        return self.completion(await create(**self.asked(create, params)))

    async def chat_stream(self, client, params):
        create = client.chat.completions.create
        out = {"text": "", "calls": [], "pieces": 0, "usage": None}
        async for chunk in await create(stream=True, **self.asked(create, params)):
            out["model"] = chunk.model
            if chunk.usage is not None:
                out["usage"] = usage(chunk.usage)
            for choice in chunk.choices:
                out["finish"] = choice.finish_reason or out.get("finish")
                if choice.delta.content:
                    out["text"] += choice.delta.content
                    out["pieces"] += 1
                for t in choice.delta.tool_calls or []:
                    if t.index == len(out["calls"]):
                        out["calls"].append({"id": t.id, "name": t.function.name, "arguments": ""})
                    out["calls"][t.index]["arguments"] += t.function.arguments or ""
        return out

    async def chat_parse(self, client, params):
        c = await client.chat.completions.parse(response_format=Weather, **params)
        return self.completion(c) | {"parsed": c.choices[0].message.parsed.model_dump()}

    async def chat_stream_parse(self, client, params):
        pieces = 0
        async with client.chat.completions.stream(response_format=Weather, **params) as stream:
            async for event in stream:
                pieces += event.type == "content.delta"
            c = await stream.get_final_completion()
        return self.completion(c) | {"parsed": c.choices[0].message.parsed.model_dump(), "pieces": pieces}

    async def completions(self, client, params):
        create = client.completions.create
        c = await create(**self.asked(create, params))
        return {"text": c.choices[0].text, "finish": c.choices[0].finish_reason, "model": c.model, "usage": usage(c.usage)}

    async def completions_stream(self, client, params):
        create = client.completions.create
        out = {"text": "", "pieces": 0, "usage": None}
        async for chunk in await create(stream=True, **self.asked(create, params)):
            out["model"] = chunk.model
            if chunk.usage is not None:
                out["usage"] = usage(chunk.usage)
            for choice in chunk.choices:
                out["finish"] = choice.finish_reason or out.get("finish")
                out["text"] += choice.text
                out["pieces"] += bool(choice.text)
        return out

    async def embeddings(self, client, params):
        create = client.embeddings.create
        r = await create(**self.asked(create, params))
        return {"vectors": [numbers(d.embedding) for d in r.data], "model": r.model}

    @staticmethod
    def response(r):
        calls = [{"id": o.call_id, "name": o.name, "arguments": o.arguments} for o in r.output if o.type == "function_call"]
        out = {"text": r.output_text, "calls": calls, "finish": r.status, "model": r.model, "usage": usage(r.usage)}
        return out | {"id": r.id, "continues": r.previous_response_id or ""}

    async def responses(self, client, params):
        create = client.responses.create
        return self.response(await create(**self.asked(create, params)))

    async def responses_stream(self, client, params):
        create = client.responses.create
        return await self.happened(await create(stream=True, **self.asked(create, params)))

    async def happened(self, stream):
        text, events, out = "", [], {}
        async for event in stream:
            if event.type not in events:
                events.append(event.type)
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type in ("response.completed", "response.incomplete"):
                out = self.response(event.response)
        assert out.get("text") == text, f"the pieces {text!r} are not the whole {out!r}"
        return out | {"events": events}

    async def responses_parse(self, client, params):
        r = await client.responses.parse(text_format=Weather, **params)
        return self.response(r) | {"parsed": r.output_parsed.model_dump()}

    async def responses_stream_parse(self, client, params):
        async with client.responses.stream(text_format=Weather, **params) as stream:
            out = await self.happened(stream)
            r = await stream.get_final_response()
        return out | {"parsed": r.output_parsed.model_dump()}

    async def models_list(self, client, params):
        return {"names": [m.id async for m in client.models.list()]}

    async def models_get(self, client, params):
        m = await client.models.retrieve(params["model"])
        return {"names": [m.id]}


def numbers(v):
    """A vector, which a caller who asks for base64 has to decode."""
    if isinstance(v, str):
        raw = base64.b64decode(v)
        v = struct.unpack(f"<{len(raw) // 4}f", raw)
    return list(v)


class LangChain:
    """LangChain's models of OpenAI's protocol."""

    async def run(self, request):
        # Its import takes longer than everything else.
        from langchain_openai import ChatOpenAI, OpenAIEmbeddings

        params = dict(request["params"])
        op, model, kind = request["op"], params.pop("model"), request["op"].partition("_")[0]
        if kind == "embeddings":
            e = OpenAIEmbeddings(model=model, base_url=URL, api_key="unused", max_retries=0, check_embedding_ctx_length=False)
            return {"vectors": await e.aembed_documents(params["input"])}
        llm = ChatOpenAI(model=model, base_url=URL, api_key="unused", max_retries=0, use_responses_api=kind == "responses", stream_usage=True)
        messages, tools = params.get("messages") or params.get("input"), params.get("tools")
        if op.endswith("_parse"):
            return {"parsed": (await llm.with_structured_output(Weather).ainvoke(messages)).model_dump()}
        if tools:
            llm = llm.bind_tools(tools)
        if not op.endswith("_stream"):
            return self.message(await llm.ainvoke(messages))
        whole, pieces = None, 0
        async for chunk in llm.astream(messages):
            whole = chunk if whole is None else whole + chunk
            pieces += bool(chunk.text)
        return self.message(whole) | {"pieces": pieces}

    @staticmethod
    def message(m):
        calls = [{"id": t["id"], "name": t["name"], "arguments": json.dumps(t["args"], separators=(",", ":"))} for t in m.tool_calls]
        u = m.usage_metadata
        meta = m.response_metadata
        return {
            "text": m.text,
            "calls": calls,
            "finish": meta.get("finish_reason") or meta.get("status"),
            "usage": u and {"input": u["input_tokens"], "output": u["output_tokens"]},
        }


async def outcome(library, request):
    try:
        return await library.run(request)
    except asyncio.CancelledError:
        return {"left": True}
    except Exception as e:
        return {"error": failure(e)}


async def main():
    library = {"python": Official, "langchain": LangChain}[sys.argv[1]]()
    loop, running = asyncio.get_running_loop(), None

    async def answer(request):
        print(json.dumps(await outcome(library, request)), flush=True)

    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "leave":
            running.cancel()
        else:
            running = asyncio.create_task(answer(json.loads(line)))


asyncio.run(main())
