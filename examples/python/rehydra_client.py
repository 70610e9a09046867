"""A client of Rehydra in one file, written from docs/PROTOCOL.md and docs/ERRORS.md.

    session = Session(["ws://127.0.0.1:8080/v1/session"])
    async with session:
        print(await session.ask("My knee hurts."))

`ask` sends one message and returns its answer. `send` returns once the message is stored, and `async for event in
session` yields each frame that the session handled, in order. The session reconnects, resumes and sends again alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

Frame = dict[str, Any]

FINAL_CLOSES = {1008, 1009, 4001, 4002, 4003, 4009, 4011}
PASSING_STATUS = {408, 425, 429}
ENDS = {"turn.completed", "turn.failed", "turn.cancelled"}
BASE_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
MIN_UPTIME_S = 5.0
EVENTS_MAX = 10_000


class Refused(Exception):
    """The server refused a message, or ended a turn without an answer."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class SessionEnded(Exception):
    """The session cannot go on; the text says why."""


@dataclass
class Turn:
    """One answer. `text` holds all that arrived since the last `turn.started`."""

    turn_id: str
    message_ids: list[str]
    text: str = ""
    end: Frame | None = None


@dataclass
class Pending:
    """A message without an acknowledgement."""

    frame: Frame
    stored: asyncio.Future[None]
    sent_on: object | None = None


@dataclass
class Session:
    urls: list[str]
    session_id: str | None = None
    token: str | None = None
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    transcript: list[Frame] = field(default_factory=list)
    turns: dict[str, Turn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._after = 0
        self._epoch: int | None = None
        self._socket: ClientConnection | None = None
        self._head: int | None = None
        self._pending: dict[str, Pending] = {}
        self._answers: dict[str, tuple[Frame, asyncio.Future[Turn]]] = {}
        self._events: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._retry_after_s = 0.0
        self._over: BaseException | None = None
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Session:
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator[Frame]:
        while (frame := await self._events.get()) is not None:
            yield frame
        if isinstance(self._over, SessionEnded):
            raise self._over

    async def send(self, content: str, **fields: Any) -> str:
        """Sends a message and returns its id once the server has stored it."""
        if self._over is not None:
            raise SessionEnded(str(self._over))
        message_id = str(uuid.uuid4())
        loop = asyncio.get_running_loop()
        frame = {"type": "message", "id": message_id, "content": content, **fields}
        pending = Pending(frame, loop.create_future())
        self._pending[message_id] = pending
        self._answers[message_id] = (frame, loop.create_future())
        await self._flush()
        await pending.stored
        return message_id

    async def answer(self, message_id: str) -> str:
        """Returns the whole text of the answer to a message."""
        turn = await self._answers[message_id][1]
        end = turn.end or {}
        if end.get("type") == "turn.completed":
            return turn.text
        error = end.get("error", {})
        raise Refused(error.get("code", "turn_cancelled"), error.get("message", ""))

    async def ask(self, content: str, **fields: Any) -> str:
        return await self.answer(await self.send(content, **fields))

    # The connection

    async def _run(self) -> None:
        failures = 0
        try:
            while True:
                welcomed_at = await self._connect_once(self.urls[failures % len(self.urls)])
                if welcomed_at is not None and time.monotonic() - welcomed_at >= MIN_UPTIME_S:
                    failures = 0
                window_s = min(LONGEST_DELAY_S, BASE_DELAY_S * 2**failures)
                wait_s = max(self._retry_after_s, random.random() * window_s)
                failures = min(failures + 1, 30)
                self._retry_after_s = 0.0
                await asyncio.sleep(wait_s)
        except BaseException as error:
            self._over = error
            ended = error if isinstance(error, SessionEnded) else SessionEnded("the session was left")
            stored = [one.stored for one in self._pending.values()]
            for future in [*stored, *(answer for _, answer in self._answers.values())]:
                if not future.done():
                    future.set_exception(ended)
                    future.exception()
            self._events.put_nowait(None)
            if not isinstance(error, SessionEnded):
                raise

    async def _connect_once(self, url: str) -> float | None:
        """Holds one connection to its end. Returns the time of its welcome, or None."""
        welcomed_at = None
        try:
            async with connect(url, max_size=None) as socket:
                await socket.send(json.dumps(self._hello()))
                async for text in socket:
                    frame = json.loads(text)
                    if frame.get("type") == "welcome":
                        welcomed_at = time.monotonic()
                        self._socket = socket
                    self._handle(frame)
                    # A refused hello that may succeed later: the next connection tries it.
                    if frame.get("type") == "error" and welcomed_at is None:
                        break
                    await self._flush()
                self._judge_close(socket.close_code, socket.close_reason or "")
        except InvalidStatus as refused:
            status = refused.response.status_code
            if status < 500 and status not in PASSING_STATUS:
                raise SessionEnded(f"{url} answered {status}") from refused
            wait = refused.response.headers.get("Retry-After", "")
            self._retry_after_s = float(wait) if wait.isdigit() else 0.0
        except ConnectionClosed as closed:
            received = closed.rcvd
            self._judge_close(received.code if received else 1006, received.reason if received else "")
        except (InvalidHandshake, OSError, TimeoutError):
            pass
        finally:
            self._socket = None
            self._head = None
        return welcomed_at

    def _hello(self) -> Frame:
        hello: Frame = {"type": "hello", "client_id": self.client_id}
        if self.session_id is not None:
            hello |= {"session_id": self.session_id, "after": self._after}
            if self._epoch is not None:
                hello["epoch"] = self._epoch
        else:
            hello["after"] = 0
        if self.token is not None:
            hello["token"] = self.token
        return hello

    def _judge_close(self, code: int | None, reason: str) -> None:
        if code in FINAL_CLOSES or (code == 1000 and reason == "closed"):
            raise SessionEnded(f"the server closed the session: {code} {reason}")

    async def _flush(self) -> None:
        """Sends what has no acknowledgement, once per connection, and not before the missed frames are here."""
        socket = self._socket
        if socket is None or self._head is None or self._after < self._head:
            return
        for pending in list(self._pending.values()):
            if pending.sent_on is socket:
                continue
            pending.sent_on = socket
            try:
                await socket.send(json.dumps(pending.frame))
            except ConnectionClosed:
                return

    # The frames

    def _handle(self, frame: Frame) -> None:
        kind = frame.get("type")
        if self._events.qsize() >= EVENTS_MAX:
            self._events.get_nowait()  # This program does not read the events.
        self._events.put_nowait(frame)
        if kind == "welcome":
            self.session_id = frame["session_id"]
            self._head = frame["offset"]
            if not frame["resumed"]:
                self._after, self._epoch = 0, None
        elif kind == "reset":
            self._reset(frame)
        elif kind == "error":
            self._error(frame)
        elif "offset" in frame:
            # A frame of an unknown type counts too: the place in the log goes on.
            self._after, self._epoch = frame["offset"], frame["epoch"]
            self._durable(frame)

    def _durable(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "message.queued":
            self._acknowledge(frame["message_id"])
        elif kind == "turn.started":
            ids = frame.get("message_ids") or [frame["message_id"]]
            # The second start of a turn voids its text.
            self.turns[frame["turn_id"]] = Turn(frame["turn_id"], ids)
            for message_id in ids:
                self._acknowledge(message_id)
        elif kind == "delta" and (turn := self.turns.get(frame["turn_id"])):
            turn.text += frame["text"]
        elif kind in ENDS:
            turn = self.turns.setdefault(frame["turn_id"], Turn(frame["turn_id"], [frame["message_id"]]))
            turn.end = frame
            self._resolve(turn)
        elif kind == "expired":
            raise SessionEnded(f"the session ended: {frame['reason']}")

    def _reset(self, frame: Frame) -> None:
        self._after, self._epoch = frame["offset"], frame["epoch"]
        self._head = frame["offset"]
        self.transcript = frame["transcript"]
        before, self.turns = self.turns, {}
        for line in self.transcript:
            if line["role"] != "assistant":
                continue
            known = before.get(line["turn_id"])
            turn = Turn(line["turn_id"], known.message_ids if known else [], line["content"])
            turn.end = {"type": "turn.completed", "turn_id": turn.turn_id}
            self.turns[turn.turn_id] = turn
            self._resolve(turn)
        # The store may have lost a message that it acknowledged. The session takes each id once, so all go again.
        for message_id, (frame, answer) in self._answers.items():
            if not answer.done() and message_id not in self._pending:
                self._pending[message_id] = Pending(frame, asyncio.get_running_loop().create_future())
        for pending in self._pending.values():
            pending.sent_on = None

    def _resolve(self, turn: Turn) -> None:
        for message_id in turn.message_ids:
            entry = self._answers.get(message_id)
            if entry is not None and not entry[1].done():
                entry[1].set_result(turn)

    def _error(self, frame: Frame) -> None:
        self._retry_after_s = frame.get("retry_after_ms", 0) / 1000
        message_id = frame.get("message_id")
        pending = self._pending.get(message_id) if message_id is not None else None
        if self._socket is None and not frame["retryable"]:
            raise SessionEnded(f"the server refused the hello: {frame['code']}")
        if pending is None:
            return
        if frame["code"] == "duplicate_message":
            self._acknowledge(pending.frame["id"])
        else:
            del self._pending[pending.frame["id"]]
            refused = Refused(frame["code"], frame.get("detail") or frame["message"])
            if not pending.stored.done():
                pending.stored.set_exception(refused)
            self._answers.pop(pending.frame["id"], None)

    def _acknowledge(self, message_id: str) -> None:
        pending = self._pending.pop(message_id, None)
        if pending is not None and not pending.stored.done():
            pending.stored.set_result(None)


async def main() -> None:
    urls = os.environ.get("REHYDRA_WS", "ws://127.0.0.1:8080/v1/session").split(",")
    content = " ".join(sys.argv[1:]) or "My knee hurts."
    async with Session(urls, token=os.environ.get("REHYDRA_TOKEN")) as session:
        message_id = await session.send(content)
        async for frame in session:
            if frame["type"] == "turn.started" and "restarts" in frame:
                print("\n(the answer starts over)", flush=True)
            elif frame["type"] == "delta":
                print(frame["text"], end="", flush=True)
            elif frame["type"] == "reset" or (frame["type"] in ENDS and frame["message_id"] == message_id):
                break
        whole = await session.answer(message_id)
        print(f"\n{json.dumps({'session_id': session.session_id, 'answer': whole})}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
