"""A client of a model that speaks OpenAI's chat completions."""

import json
from collections.abc import AsyncIterator

import httpx


class LLM:
    def __init__(self, client: httpx.AsyncClient, model: str) -> None:
        self.client = client
        self.model = model

    def _body(self, prompt: str, stream: bool) -> dict:
        return {"model": self.model, "messages": [{"role": "user", "content": prompt}], "stream": stream}

    async def complete(self, prompt: str) -> tuple[str, int]:
        response = await self.client.post("/chat/completions", json=self._body(prompt, stream=False))
        response.raise_for_status()
        completion = response.json()
        return completion["choices"][0]["message"]["content"], completion["usage"]["total_tokens"]

    async def events(self, prompt: str) -> AsyncIterator[str]:
        body = self._body(prompt, stream=True)
        async with self.client.stream("POST", "/chat/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line:
                    yield line + "\n\n"

    async def astream(self, prompt: str) -> AsyncIterator[str]:
        async for event in self.events(prompt):
            data = event.removeprefix("data: ").strip()
            if data == "[DONE]":
                return
            for choice in json.loads(data)["choices"]:
                if token := choice["delta"].get("content"):
                    yield token
