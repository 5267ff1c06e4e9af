"""The program whose answers the migration oracle compares with those of service.yaml.

It is written as FastAPI's own tutorial writes programs: types declare what is accepted, and the framework does the
rest. What differs from service.yaml on purpose is listed, with reasons, in differences.yaml.
"""

import html
import os
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from enum import Enum
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

import httpx
from fastapi import (
    APIRouter, Body, Cookie, Depends, FastAPI, File, Form, Header, HTTPException, Path, Query, Request, Response, UploadFile,
)
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AnyUrl, BaseModel, ConfigDict, Field

from llm import LLM


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=os.environ["MODEL_URL"], timeout=20) as client:
        app.state.llm = LLM(client, "small")
        yield


async def welcome(x_client: Annotated[str, Header(max_length=8)] = "") -> None:
    if x_client == "barred":
        raise HTTPException(403, "Not for you")


app = FastAPI(title="oracle", lifespan=lifespan, dependencies=[Depends(welcome)])


# Parameters


class Sort(str, Enum):
    newest = "newest"
    oldest = "oldest"


@app.get("/health", summary="Say that the service is there")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/items/{item_id}", summary="Find items")
async def find(
    item_id: Annotated[int, Path(ge=1, le=1000)],
    q: Annotated[str | None, Query(min_length=2, max_length=10, pattern="^[a-z]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=100, multiple_of=5)] = 10,
    ratio: Annotated[float, Query(gt=0, lt=1)] = 0.5,
    deep: bool = False,
    sort: Sort = Sort.newest,
    mode: Literal["exact"] = "exact",
    tags: Annotated[list[str], Query(max_length=3)] = [],
    scores: Annotated[list[int] | None, Query()] = None,
    x_tenant: Annotated[str, Header(min_length=2)] = "public",
    x_level: Annotated[int, Header()] = 0,
) -> dict[str, Any]:
    return {
        "item_id": item_id, "q": q, "limit": limit, "ratio": ratio, "deep": deep, "sort": sort, "mode": mode,
        "tags": tags, "scores": scores, "x_tenant": x_tenant, "x_level": x_level,
    }


@app.get("/required", summary="Want a query and a header")
async def required(
    token: Annotated[str, Header()],
    count: int,
    names: Annotated[list[str], Query(min_length=1)],
) -> dict[str, Any]:
    return {"token": token, "count": count, "names": names}


@app.get("/session", summary="Want cookies")
async def session(
    session: Annotated[str, Cookie(min_length=4, pattern="^[a-z]+$")],
    visits: Annotated[int, Cookie(ge=0)] = 0,
    theme: Annotated[Literal["dark", "light"] | None, Cookie()] = None,
) -> dict[str, Any]:
    return {"session": session, "visits": visits, "theme": theme}


@app.get("/whoami/{name}", summary="Say who asks, and for what")
async def whoami(request: Request, name: str) -> dict[str, Any]:
    return {"client": request.client.host, "method": request.method, "url": str(request.url), "path": request.url.path}


# Forms


class Feedback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(max_length=5)
    count: int = Field(1, ge=1)
    keep: bool = False
    ratio: float | None = None
    tags: list[str] = []


@app.post("/feedback", summary="Want a form")
async def feedback(form: Annotated[Feedback, Form()]) -> dict[str, Any]:
    return form.model_dump()


@app.post("/upload", summary="Want files")
async def upload(
    title: Annotated[str, Form()],
    photo: UploadFile,
    pages: Annotated[list[UploadFile], File(max_length=2)] = [],
) -> dict[str, Any]:
    return {
        "title": title,
        "photo": {
            "filename": photo.filename, "contentType": photo.content_type or "", "size": photo.size,
            "base64": b64encode(await photo.read()).decode(),
        },
        "pages": [{"filename": page.filename, "text": (await page.read()).decode()} for page in pages],
    }


# Answers that are not JSON, or not only


@app.post("/jobs", status_code=201, summary="Make something")
async def jobs(job: Annotated[dict[str, Any], Body()], response: Response) -> dict[str, Any]:
    response.headers["X-Total"] = str(len(job))
    response.headers["Location"] = "/jobs/" + quote(job["name"], safe="")
    response.set_cookie("last", job["name"], max_age=3600, httponly=True, secure=True)
    response.set_cookie("first", "1", path="/jobs", samesite="strict")
    return job


@app.delete("/session", status_code=204, summary="Forget a cookie")
async def forget(response: Response) -> None:
    response.delete_cookie("session", httponly=True, secure=True)


@app.get("/page/{name}", response_class=HTMLResponse, summary="Answer with HTML")
async def page(name: str) -> str:
    return f"<p>{html.escape(name)}</p>"


@app.get("/plain/{name}", response_class=PlainTextResponse, summary="Answer with text")
async def plain(name: str) -> str:
    return f"hi {name}"


@app.get("/pixel", summary="Answer with bytes")
async def pixel() -> Response:
    return Response(b64decode("R0lGODlhAQABAAAAACw="), media_type="image/gif")


@app.get("/old/{name}", response_class=RedirectResponse, status_code=307, summary="Lead elsewhere")
async def old(name: str) -> str:
    return "/plain/" + quote(name, safe="")


class Login(BaseModel):
    user: str


@app.post("/login", response_class=RedirectResponse, status_code=303, summary="Lead to a page of another place")
async def login(as_: Login) -> RedirectResponse:
    to = RedirectResponse("https://login.example/in?" + urlencode({"user": as_.user}), status_code=303)
    to.set_cookie("user", as_.user, httponly=True, secure=True)
    return to


class Ban(BaseModel):
    who: Annotated[str, Field(min_length=1)]


@app.get("/secret", summary="Refuse with a header")
async def secret(token: Annotated[str, Header()] = "") -> dict[str, Any]:
    if token != "open":
        raise HTTPException(401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"})
    return {"secret": "none"}


class User(BaseModel):
    name: str
    admin: bool


def current_user(token: Annotated[str, Header()] = "") -> User:
    if token not in ("ann", "root"):
        raise HTTPException(401, f"Nobody is {token}", headers={"WWW-Authenticate": "Bearer"})
    return User(name=token, admin=token == "root")


def require_admin(user: Annotated[User, Depends(current_user)]) -> User:
    if not user.admin:
        raise HTTPException(403, {"reason": "Admins only", "user": user.name})
    return user


@app.get("/me", summary="Depend on who asks")
async def me(user: Annotated[User, Depends(current_user)]) -> User:
    return user


@app.post("/ban", summary="Depend on an admin")
async def ban(
    ban: Ban, user: Annotated[User, Depends(current_user)], admin: Annotated[User, Depends(require_admin)]
) -> dict[str, Any]:
    return {"banned": ban.who, "by": admin.name, "same": user == admin}


@app.post("/tell", summary="Stream to an admin", response_class=StreamingResponse)
async def tell(ban: Ban, request: Request, admin: Annotated[User, Depends(require_admin)]):
    async def gen():
        async for token in request.app.state.llm.astream(ban.who):
            yield f"data: {token}\n\n"

    return StreamingResponse(gen(), media_type="text/event-stream")


@app.get("/files/{name}", summary="Take a name from the path")
async def files(name: Annotated[str, Path(pattern="^[a-z.]+$", max_length=12)]) -> dict[str, str]:
    return {"name": name}


@app.get("/days/{day}/{id}", summary="Take formats from the path")
async def days(day: date, id: UUID) -> dict[str, Any]:
    return {"day": day, "id": id}


@app.get("/raw/{value}", summary="Take any text from the path")
async def raw(value: str) -> dict[str, str]:
    return {"value": value}


# Bodies


class Priority(str, Enum):
    low = "low"
    normal = "normal"
    high = "high"


class Address(BaseModel):
    model_config = ConfigDict(extra="forbid")

    street: Annotated[str, Field(min_length=1)]
    zip: Annotated[str, Field(pattern="^[0-9]{5}$")]
    country: Literal["DE", "FR", "NL"] = "DE"


class Line(BaseModel):
    sku: Annotated[str, Field(pattern="^[A-Z]{2}-[0-9]+$")]
    quantity: Annotated[int, Field(ge=1, le=99)]
    price: Annotated[float, Field(gt=0, lt=1e6)]
    note: Annotated[str | None, Field(max_length=5)] = None


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    customer: Annotated[str, Field(min_length=2, max_length=20)]
    address: Address
    lines: Annotated[list[Line], Field(min_length=1, max_length=3)]
    priority: Priority = Priority.normal
    gift: bool = False
    discount: Annotated[float | None, Field(ge=0, le=1)] = None
    tags: list[str] = []
    attributes: dict[str, int] = {}


@app.post("/orders", summary="Place an order")
async def place(order: Order) -> Order:
    return order


@app.post("/quiet", summary="Place an order, hear no more than necessary")
async def quiet(order: Order) -> Order:
    return order


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0)]


class Rectangle(BaseModel):
    kind: Literal["rectangle"]
    width: Annotated[float, Field(gt=0)]
    height: Annotated[float, Field(gt=0)]


class Drawing(BaseModel):
    shape: Annotated[Circle | Rectangle, Field(discriminator="kind")]


@app.post("/drawings", summary="Tell forms apart by a member")
async def draw(drawing: Drawing) -> Drawing:
    return drawing


class Disc(BaseModel):
    shape: Literal["disc"] = "disc"
    r: Annotated[float, Field(gt=0)]


class Red(BaseModel):
    shape: Literal["square"]
    color: Literal["red"]
    side: float


class Blue(BaseModel):
    shape: Literal["square"]
    color: Literal["blue", "navy"] = "blue"
    side: float
    fill: bool = True


Square = Annotated[Red | Blue, Field(discriminator="color")]
Figure = Annotated[Disc | Square, Field(discriminator="shape")]


class Figures(BaseModel):
    main: Figure
    others: list[Figure] = []
    spare: Figure | None = None
    only: Annotated[Disc, Field()] = Disc(r=1)


# FastAPI's document knows no union in a union: /openapi.json would be 500 with this route in it.
@app.post("/figures", summary="Tell forms of forms apart", include_in_schema=False)
async def figures(value: Figures) -> Figures:
    return value


class Ping(BaseModel):
    op: Literal[1]
    text: str


class Pong(BaseModel):
    op: Literal[2, "two"]
    text: str


class Frame(BaseModel):
    message: Annotated[Ping | Pong, Field(discriminator="op")]


@app.post("/frames", summary="Tell forms apart by a number")
async def frames(frame: Frame) -> Frame:
    return frame


class Card(BaseModel):
    card: dict[str, Any] = {"$schema": "http://cards.example/card.json", "type": "Card", "body": [{"$ref": "#/nowhere"}]}
    chart: Annotated[dict[str, Any], Field(examples=[{"$schema": "https://charts.example/v5.json", "mark": "bar"}])] = {}
    rule: Annotated[dict[str, Any], Field(examples=[{"patternProperties": {"(?=x)": {"type": "string"}}}])] = {}
    default: Annotated[str, Field(examples=["$ref"])] = "none"


@app.post("/cards", summary="Take data that looks like a schema")
async def cards(value: Card) -> Card:
    return value


class Person(BaseModel):
    name: str
    age: Annotated[int, Field(ge=0)]


class Lists(BaseModel):
    pair: tuple[int, str] = (1, "a")
    points: list[tuple[float, float]] = []
    maybe: tuple[Person, int] | None = None
    ids: set[int] = set()
    few: Annotated[set[int], Field(min_length=2, max_length=3)] = {1, 2}
    edges: set[tuple[int, int]] = set()


@app.post("/lists", summary="Take tuples and sets")
async def lists(value: Lists, codes: Annotated[set[int], Query()] = set()) -> dict[str, Any]:
    return {"value": value, "codes": sorted(codes)}


class Mixed(BaseModel):
    either: int | list[int]
    maybe: int | None = None


@app.post("/mixed", summary="Take one of several types")
async def mixed(value: Mixed) -> Mixed:
    return value


class Node(BaseModel):
    name: str
    children: list["Node"] = []


@app.post("/trees", summary="Take a tree")
async def tree(node: Node) -> Node:
    return node


loose = APIRouter(strict_content_type=False)


@loose.post("/loose", summary="Take a tree that does not say that it is JSON")
async def loose_tree(node: Node) -> Node:
    return node


app.include_router(loose)


class Formats(BaseModel):
    day: date | None = None
    at: datetime | None = None
    clock: time | None = None
    id: UUID | None = None
    link: AnyUrl | None = None


@app.post("/formats", summary="Take formats")
async def formats(value: Formats) -> Formats:
    return value


@app.post("/numbers", summary="Take a list")
async def numbers(values: Annotated[list[int], Body(min_length=1, max_length=4)]) -> list[int]:
    return values


@app.post("/table", summary="Take a dictionary")
async def table(values: dict[str, float]) -> dict[str, float]:
    return values


@app.post("/anything", summary="Take any JSON")
async def anything(value: Annotated[Any, Body()]) -> Any:
    return value


class Patch(BaseModel):
    name: Annotated[str | None, Field(min_length=3)] = None
    size: Annotated[int, Field(ge=0)]


@app.put("/things/{thing_id}", summary="Take a path, a query, a header and a body together")
async def put_thing(
    thing_id: Annotated[int, Path(ge=1)],
    patch: Patch,
    x_reason: Annotated[str, Header(min_length=3)],
    dry: bool = False,
) -> dict[str, Any]:
    return {"thing_id": thing_id, "dry": dry, "reason": x_reason, "patch": patch}


# Answers


@app.get("/missing/{thing_id}", summary="Find nothing")
async def missing(thing_id: int) -> dict[str, int]:
    raise HTTPException(404, detail=f"There is no thing {thing_id}")


@app.post("/people", summary="Promise a person, whatever the body holds", response_model=Person)
async def person(value: Annotated[dict[str, Any], Body()]) -> Any:
    return value


class Owner(BaseModel):
    name: str


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9
    owner: Owner | None = None


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool
    owner: Owner | None = None


class Chip(BaseModel):
    id: int


class LongChip(BaseModel):
    id: int
    maker: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: int


class Holder(BaseModel):
    chip: Chip


class LongHolder(BaseModel):
    chip: LongChip


class Shelter(BaseModel):
    pets: list[Cat | Dog] = []
    best: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    chip: Chip | LongChip | None = None
    any_chip: Chip | dict[str, Any] | None = None
    open: Open | None = None
    owners: dict[str, Owner] = {}
    notes: dict[str, Any] = {}
    first_any: dict[str, Any] | Chip | None = None
    numbers: Chip | dict[str, int] | None = None
    deep: Holder | LongHolder | None = None
    chips: list[Chip] | list[LongChip] = []
    wide: Open | LongChip | None = None
    pair: tuple[Owner, Chip] | None = None


@app.post("/shelter", summary="Promise a shelter, whatever the body holds", response_model=Shelter)
async def shelter(value: Annotated[dict[str, Any], Body()]) -> Any:
    return value


# Models


class ChatReq(BaseModel):
    prompt: Annotated[str, Field(min_length=1)]


class Answer(BaseModel):
    answer: str
    tokens: int


@app.post("/chat", summary="Stream tokens", response_class=StreamingResponse)
async def chat(req: ChatReq, request: Request):
    llm: LLM = request.app.state.llm

    async def gen():
        async for token in llm.astream(req.prompt):
            yield f"data: {token}\n\n"

    return StreamingResponse(gen(), media_type="text/event-stream")


@app.post("/completions", summary="Stream the model's own events", response_class=StreamingResponse)
async def completions(req: ChatReq, request: Request):
    llm: LLM = request.app.state.llm
    return StreamingResponse(llm.events(req.prompt), media_type="text/event-stream")


class Bound(BaseModel):
    to: int


async def first_time(last_event_id: Annotated[int, Header(ge=0)] = 0) -> None:
    if last_event_id > 0:
        raise HTTPException(204)  # a browser that has had some events does not come back then


@app.get("/count/{to}", summary="Send events with ids", response_class=EventSourceResponse, dependencies=[Depends(first_time)])
async def count(to: Annotated[int, Path(ge=1, le=9)]) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(event="bound", data=Bound(to=to), id="1", retry=5000)
    yield ServerSentEvent(event="twice", data=to * 2, id="2")
    yield ServerSentEvent(event="title", data=f"Up to {to}", id="3")
    yield ServerSentEvent(event="done", raw_data='{"usage":null}', id="4")


@app.post("/answer", summary="Answer whole")
async def answer(req: ChatReq, request: Request) -> Answer:
    llm: LLM = request.app.state.llm
    text, tokens = await llm.complete(req.prompt)
    return Answer(answer=text, tokens=tokens)
