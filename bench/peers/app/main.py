"""The FastAPI program of the measurement: what the gateway does, as people write it. One httpx client, Pydantic models, uvicorn workers."""

import os
from contextlib import asynccontextmanager
from typing import Literal

import httpx
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

MODEL_URL = os.environ["MODEL_URL"]


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(60)) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


class Message(BaseModel):
    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Chat(BaseModel):
    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False


class Question(BaseModel):
    question: str = Field(min_length=1, max_length=200_000)


class Answer(BaseModel):
    answer: str
    finish_reason: str


async def stream(model: str, messages: list[dict]) -> StreamingResponse:
    client = app.state.client
    request = client.build_request("POST", MODEL_URL, json={"model": model, "messages": messages, "stream": True})
    answer = await client.send(request, stream=True)

    async def events():
        try:
            async for piece in answer.aiter_raw():
                yield piece
        finally:
            await answer.aclose()

    return StreamingResponse(events(), status_code=answer.status_code, media_type="text/event-stream")


def messages_of(question: Question) -> list[dict]:
    return [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": f"Question: {question.question}"},
    ]


@app.post("/v1/chat/completions")
async def chat(body: Chat):
    if body.stream:
        return await stream(body.model, [m.model_dump() for m in body.messages])
    answer = await app.state.client.post(MODEL_URL, json=body.model_dump())
    return Response(answer.content, status_code=answer.status_code, media_type="application/json")


@app.post("/answer")
async def answer(question: Question) -> Answer:
    reply = await app.state.client.post(MODEL_URL, json={"model": "whole", "messages": messages_of(question)})
    reply.raise_for_status()
    choice = reply.json()["choices"][0]
    return Answer(answer=choice["message"]["content"], finish_reason=choice["finish_reason"])


@app.post("/stream")
async def paced(question: Question):
    return await stream("paced", messages_of(question))


@app.post("/brief")
async def brief(question: Question):
    return await stream("brief", messages_of(question))


@app.post("/hold")
async def hold(question: Question):
    return await stream("held", messages_of(question))
