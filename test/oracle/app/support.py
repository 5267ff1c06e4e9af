"""The program that config/samples/support.yaml takes the place of.

It is written as FastAPI's tutorial teaches: asyncio runs the calls together, asyncio.timeout bounds the whole, and events are
FastAPI's own. The services and models are test/mockllm's.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    model = os.environ["MODEL_URL"]
    async with (
        httpx.AsyncClient(base_url=model, timeout=20) as llm,
        httpx.AsyncClient(base_url=model.removesuffix("/v1") + "/http", timeout=20) as web,
    ):
        app.state.llm, app.state.web = llm, web
        yield


app = FastAPI(title="support", lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


class Ticket(BaseModel):
    id: int
    title: str
    state: Literal["open", "closed"]


@app.get("/tickets/{id}", response_model=Ticket)
async def ticket(id: int) -> Any:
    found = await app.state.web.get(f"/tickets/{id}")
    if found.status_code == 404:
        raise HTTPException(404, "Ticket not found")
    return found.raise_for_status().json()


class SupportRequest(BaseModel):
    ticket: Annotated[str, Field(min_length=1, max_length=8000)]
    customer_id: int
    tags: list[str] = []
    lang: Literal["de", "en"] = "en"


class Classification(BaseModel):
    category: Literal["billing", "bug", "other"]
    urgency: Annotated[int, Field(ge=1, le=5)]


def event(name: str, data: Any) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=json.dumps(data, separators=(",", ":"), ensure_ascii=False))


class Run:
    """One request: its events, which whatever runs puts into a queue, and the tokens that it has used."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue()
        self.usage: Counter[str] = Counter()

    def put(self, name: str, data: Any) -> None:
        self.events.put_nowait(event(name, data))

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        self.put("progress", {"step": name, "state": "started"})
        try:
            yield
        except BaseException:
            self.put("progress", {"step": name, "state": "failed"})
            raise
        self.put("progress", {"step": name, "state": "succeeded"})

    async def classify(self, req: SupportRequest) -> Classification:
        async with self.step("context.classify"):
            answer = await app.state.llm.post("/chat/completions", json={
                "model": "gpt-5-mini", "max_completion_tokens": 200,
                "messages": [{"role": "system", "content": "Classify the ticket."}, {"role": "user", "content": req.ticket}],
            })
            completion = answer.raise_for_status().json()
            self.usage.update(completion["usage"])
            return Classification.model_validate_json(completion["choices"][0]["message"]["content"])

    async def vip(self, req: SupportRequest) -> bool:
        try:
            async with self.step("context.customer"), asyncio.timeout(2):
                customer = await app.state.web.get(f"/customers/{req.customer_id}")
                return customer.raise_for_status().json().get("vip", False)
        except (TimeoutError, httpx.HTTPError):
            return False

    async def articles(self, req: SupportRequest) -> list[Any]:
        async with self.step("context.articles"):
            found = await app.state.web.get("/search", params={"q": req.ticket})
            return found.raise_for_status().json()["items"]

    async def ask(self, model: str, messages: list[dict[str, str]], silence: float | None) -> None:
        """Streams an answer, whose first token may be awaited for so long."""
        body = {
            "model": model, "messages": messages, "max_completion_tokens": 800,
            "stream": True, "stream_options": {"include_usage": True},
        }
        async with asyncio.timeout(silence) as patience, app.state.llm.stream("POST", "/chat/completions", json=body) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                chunk = json.loads(line.removeprefix("data: "))
                self.usage.update(chunk.get("usage") or {})
                for choice in chunk["choices"]:
                    if token := choice["delta"].get("content"):
                        patience.reschedule(None)
                        self.put("answer", {"text": token})

    async def answer(self, req: SupportRequest, big: bool, articles: list[Any]) -> str:
        found = json.dumps(articles, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        messages = [
            {"role": "system", "content": f"Answer in the language {req.lang}. Articles: {found}"},
            {"role": "user", "content": req.ticket},
        ]
        async with self.step("answer"):
            chosen = ("big", "gpt-5") if big else ("small", "gpt-5-mini")
            for branch, (name, model), silence in (("model", chosen, 3), ("backup", ("backup", "qwen3-8b"), None)):
                try:
                    async with self.step(f"answer.{branch}"):
                        await self.ask(model, messages, silence)
                    return name
                except (TimeoutError, httpx.HTTPError):
                    continue
        raise RuntimeError("no model has answered")

    async def serve(self, req: SupportRequest) -> None:
        try:
            async with asyncio.timeout(30):
                async with self.step("context"):
                    kind, vip, articles = await asyncio.gather(self.classify(req), self.vip(req), self.articles(req))
                name = await self.answer(req, kind.urgency >= 4 and vip, articles)
            self.put("result", {"answeredBy": name, "category": kind.category, "tags": req.tags})
            self.put("done", {"usage": dict(sorted(self.usage.items(), key=lambda item: "pct".index(item[0][0])))})
        finally:
            self.events.put_nowait(None)


@app.post("/support", response_class=EventSourceResponse)
async def support(req: SupportRequest) -> AsyncIterator[ServerSentEvent]:
    run = Run()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run.serve(req))
        while (sent := await run.events.get()) is not None:
            yield sent
