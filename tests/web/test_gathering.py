"""Small pictures that reach the server together: one batch for the model, and for each client what it gets alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from asking import ONE, SEVEN, TWO, ZERO, ink, png, saved

from webui import Front, create_app
from webui.bridge import Bridge
from webui.gathering import MOST
from webui.quick import PATIENCE, SECONDS, TINY
from webui.turns import Turns
from zoo import Zoo, hookimpl
from zoo.types import Batch, Scores

DAMAGED = png()[:60] + b"?" + png()[61:]
OF_ANOTHER_SIZE = saved(PIL.Image.fromarray(ink(TWO)).resize((60, 60)))


class Company:
    """A plugin that notes how many pictures a model is asked at once, and refuses more than `most`."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.most = 1_000

    @hookimpl(wrapper=True)
    def predict(self, batch: Batch) -> Generator[None, Scores, Scores]:
        self.sizes.append(len(batch))
        scores = yield
        if len(batch) > self.most:
            raise ValueError("too many")
        return scores


class Visited:
    """What the bridge tells of the requests: the model that each has asked."""

    def __init__(self) -> None:
        self.models: list[str] = []

    def began(self) -> None:
        pass

    def ended(self, visit: Any) -> None:
        self.models.append(visit.model)


Answer = tuple[int, bytes]


class Client:
    """Sends pictures past the network, to an app in the bridge as the server has it."""

    def __init__(self, app: Any) -> None:
        self.visited = Visited()
        visits: Any = self.visited
        self._bridge = Bridge(app, max_body=1_000_000, body_seconds=5, turns=Turns(1), visits=visits, ahead=app.ahead)

    async def send(self, path: str, body: bytes) -> Answer:
        told: list[Any] = []
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return parts.pop() if parts else await asyncio.Future()

        async def send(message: Any) -> None:
            told.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "raw_path": path.encode(),
            "query_string": b"",
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "headers": [(b"host", b"x"), (b"content-length", b"%d" % len(body)), (b"content-type", b"image/png")],
        }
        await self._bridge(scope, receive, send)
        return told[0]["status"], told[1]["body"]

    async def alone(self, *asked: tuple[str, bytes]) -> list[Answer]:
        return [await self.send(path, body) for path, body in asked]

    async def together(self, *asked: tuple[str, bytes]) -> list[Answer]:
        return await asyncio.gather(*(self.send(path, body) for path, body in asked))


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def everything_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else the machine does, and although the first answer loads its model."""
    monkeypatch.setattr("webui.quick.SECONDS", 60.0)


@pytest.fixture
def app(root: Path, company: Company, everything_is_quick: None) -> Front:
    zoo = Zoo.open(root, environ={})
    zoo.join("company", company)
    return create_app(zoo)


ASKED = [
    ("/predict_cnn", png(SEVEN)),
    ("/predict_linear", png(ONE)),
    ("/predict_cnn", DAMAGED),
    ("/predict_cnn", png(TWO)),
    ("/api/models/cnn/predict", OF_ANOTHER_SIZE),
    ("/hf/cnn", png(ZERO)),
    ("/predict_linear", png(ZERO)),
]


def test_one_batch_for_each_model_and_for_each_client_what_it_gets_alone(app: Front, company: Company) -> None:
    client = Client(app)

    async def all_of_it() -> tuple[list[Answer], list[Answer]]:
        await client.alone(*((path, png()) for path in {path for path, _ in ASKED}))  # now all addresses are quick
        alone = await client.alone(*ASKED)
        company.sizes.clear()
        client.visited.models.clear()
        return alone, await client.together(*ASKED)

    alone, together = asyncio.run(all_of_it())
    assert together == alone
    assert [status for status, _ in together] == [200, 200, 400, 200, 200, 200, 200]
    assert sorted(company.sizes) == [1, 2, 3]  # what goes through Flask is by itself
    assert sorted(client.visited.models) == ["cnn"] * 5 + ["linear"] * 2


def test_under_a_prefix_too(root: Path, company: Company, everything_is_quick: None) -> None:
    zoo = Zoo.open(root, environ={"ZOO_SERVER__PREFIX": "/zoo"})
    zoo.join("company", company)
    client = Client(create_app(zoo))

    async def all_of_it() -> list[Answer]:
        await client.send("/zoo/predict", png())
        return await client.together(*[("/zoo/predict", png())] * 3)

    assert [status for status, _ in asyncio.run(all_of_it())] == [200] * 3
    assert company.sizes == [1, 3]


def test_a_model_that_takes_no_company_answers_each(app: Front, company: Company) -> None:
    client, asked = Client(app), [("/predict_cnn", png(digit)) for digit in (SEVEN, TWO, ONE)]
    company.most = 1

    async def all_of_it() -> tuple[list[Answer], list[Answer]]:
        alone = await client.alone(*asked)
        return alone, await client.together(*asked)

    alone, together = asyncio.run(all_of_it())
    assert together == alone
    assert company.sizes == [1, 1, 1, 3, 1, 1, 1]


def test_the_loop_is_held_by_no_more_than_so_many_and_by_none_that_take_their_time(
    app: Front, company: Company
) -> None:
    client = Client(app)
    large = saved(PIL.Image.fromarray(ink(TWO)).resize((100, 100)))
    assert TINY < 100 * 100

    async def all_of_it() -> None:
        await client.send("/predict_cnn", png())
        await client.together(*[("/predict_cnn", png())] * (MOST + 2))
        await client.together(*[("/predict_cnn", large)] * 2)

    asyncio.run(all_of_it())
    assert company.sizes == [1, MOST, 2, 1, 1]


def test_what_is_slow_in_company_goes_back_to_the_threads() -> None:
    slow, threads = threading.Event(), list[str]()  # the event is never set: waiting for it takes what it is given

    def app(environ: Any, start_response: Any) -> list[bytes]:
        threads.append(threading.current_thread().name)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    app.ahead = lambda environs: slow.wait(2 * len(environs) * SECONDS)  # type: ignore[attr-defined]
    client = Client(app)

    async def all_of_it() -> None:
        await client.send("/predict", png())
        await client.together(*[("/predict", png())] * PATIENCE)
        await client.send("/predict", png())

    asyncio.run(all_of_it())
    assert threads == ["wsgi", *["MainThread"] * PATIENCE, "wsgi"]


def test_one_who_leaves_holds_up_nobody(app: Front, company: Company) -> None:
    client = Client(app)

    async def all_of_it() -> list[Answer]:
        await client.send("/predict_cnn", png())
        asked = [asyncio.ensure_future(client.send("/predict_cnn", png())) for _ in range(3)]
        await asyncio.sleep(0)  # all have come, and none is answered
        asked[0].cancel()
        return await asyncio.gather(*asked[1:])

    assert [status for status, _ in asyncio.run(all_of_it())] == [200, 200]
