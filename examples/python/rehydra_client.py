"""A client of Rehydra in one file, written from docs/PROTOCOL.md.

    async with Client(["ws://127.0.0.1:8080/v1/session"]) as client:
        print(await client.ask("My knee hurts."))

The client keeps one session alive across broken connections. It resumes after the last frame that it handled, on any of
the given URLs, and sends unacknowledged messages again under the same id. `send` returns once a message is stored,
`answer` returns the text of its turn, and `async for frame in client` yields each frame once, in order.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import random
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

Frame = dict[str, Any]
encode = functools.partial(json.dumps, ensure_ascii=False)

LARGEST_FRAME = 64 * 1024
STABLE_AFTER = 5.0  # Seconds after its welcome from which a connection counts as a success.
FINAL_CLOSE_CODES = {1008, 1009, 4001, 4003, 4009, 4011}
TURN_ENDS = {"turn.completed", "turn.failed", "turn.cancelled"}
# After these refusals the same message may be sent again, even if the server had stored it.
PASSING_REFUSALS = {"rate_limited", "overloaded", "store_unavailable", "session_moved"}
# These announce the close of the connection.
CONNECTION_ERRORS = {"version_unsupported", "session_moved", "draining", "identity_ended", "replaced"}
QUIET_ENDS = {"closed", "session_expired", "disconnected"}


class RehydraError(Exception):
    """The server refused something, or the session is over; `code` says why."""

    def __init__(self, code: str, message: str = "", frame: Frame | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.retryable: bool = (frame or {}).get("retryable", False)
        self.retry_after: float = (frame or {}).get("retry_after_ms", 0) / 1000

    @classmethod
    def of(cls, frame: Frame) -> RehydraError:
        return cls(frame["code"], frame.get("detail") or frame["message"], frame)


@dataclass
class Turn:
    """A turn, as far as the client has it. `ending` is the frame that ended it."""

    message_ids: list[str]
    text: str = ""
    ending: Frame | None = None


@dataclass
class Outgoing:
    """A frame that waits for its answer. A message is kept until its turn has ended, too."""

    frame: Frame
    answer: asyncio.Future[None]
    turn: asyncio.Future[Turn]
    is_answered: bool = False
    sent_on: ClientConnection | None = None

    def settle(self, error: RehydraError | None = None) -> None:
        self.is_answered = True
        if error is None and not self.answer.done():
            self.answer.set_result(None)
        for future in (self.answer, self.turn):
            if error is not None and not future.done():
                future.set_exception(error)
                future.exception()  # No caller may be waiting for it.


@dataclass
class Client:
    """One session. `credential` is a token, or a function that returns a fresh one for each connection."""

    urls: Iterable[str]
    credential: str | Callable[[], str] | None = None
    session_id: str | None = None
    user_id: str | None = None
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        self._urls = itertools.cycle(self.urls)
        self.turns: dict[str, Turn] = {}
        self._offset = 0
        self._epoch: int | None = None
        self._catch_up_to: int | None = None
        self._socket: ClientConnection | None = None
        self._outgoing: dict[str, Outgoing] = {}  # By the id of the message, or by the type of the frame that answers.
        self._wake = asyncio.Event()
        self._one_request = asyncio.Lock()  # An error does not say which request it answers.
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._welcomed = asyncio.Event()
        self._welcomed_at = self._not_before = 0.0
        self._end: RehydraError | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Connect and wait for the first welcome. Attempts that may succeed later are repeated without end."""
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._write())]
        await self._welcomed.wait()
        if self._end is not None:
            raise self._end
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """Yield every frame. The iteration stops when the session ends, and raises if it ends with an error."""
        while (frame := await self._frames.get()) is not None:
            yield frame
        self._frames.put_nowait(None)
        if self._end is not None and self._end.code not in QUIET_ENDS:
            raise self._end

    async def ask(self, content: str) -> str:
        return await self.answer(await self.send(content))

    async def send(self, content: str, *, message_id: str | None = None, **fields: Any) -> str:
        """Send a message, wait until the server has stored it, and return its id. Raises if the server refuses it."""
        message_id = message_id or str(uuid.uuid4())
        await self._exchange(message_id, {"type": "message", "id": message_id, "content": content, **fields})
        return message_id

    async def answer(self, message_id: str) -> str:
        """Wait for the end of a message's turn, and return its text. Raises if the turn failed or was cancelled."""
        if message := self._outgoing.get(message_id):
            turn = await message.turn
        else:
            turn = next(turn for turn in self.turns.values() if message_id in turn.message_ids)
        match turn.ending:
            case {"type": "turn.failed", "error": error}:
                raise RehydraError.of(error)
            case {"type": "turn.cancelled", "reason": reason}:
                raise RehydraError("turn_cancelled", reason)
        return turn.text

    async def cancel(self, message_id: str) -> None:
        """Cancel a message that waits or is being answered. Raises RehydraError `unknown_turn` after its end."""
        await self._request("turn.cancelled", {"type": "cancel", "message_id": message_id})

    async def close(self) -> None:
        """End the session for every client."""
        try:
            await self._request("expired", {"type": "close"})
        except RehydraError as error:
            if error.code not in QUIET_ENDS:
                raise

    async def _request(self, answered_by: str, frame: Frame) -> None:
        async with self._one_request:
            try:
                await self._exchange(answered_by, frame)
            finally:
                self._outgoing.pop(answered_by, None)

    async def _exchange(self, key: str, frame: Frame) -> None:
        """Send a frame, again on each new connection, until it is answered."""
        if self._end is not None:
            raise self._end
        if len(encode(frame).encode()) > LARGEST_FRAME:
            raise RehydraError("frame_too_large", "The frame is larger than 64 KiB.")
        loop = asyncio.get_running_loop()
        outgoing = self._outgoing[key] = Outgoing(frame, loop.create_future(), loop.create_future())
        self._wake.set()
        await outgoing.answer

    async def _write(self) -> None:
        """Send what has no answer yet, once per connection, and not before the missed frames are here."""
        while await self._wake.wait():
            self._wake.clear()
            for one in list(self._outgoing.values()):
                socket = self._socket
                if one.is_answered or socket is None or one.sent_on is socket or self._catch_up_to is not None:
                    continue
                one.sent_on = socket
                try:
                    await socket.send(encode(one.frame))
                except ConnectionClosed:
                    break  # The next connection sends it.

    async def _run(self) -> None:
        """Keep a connection open until the session ends."""
        loop = asyncio.get_running_loop()
        failures = 0
        end = RehydraError("client_failed")
        try:
            while True:
                self._welcomed_at = 0.0
                await self._hold_connection(next(self._urls))
                if self._welcomed_at and loop.time() - self._welcomed_at >= STABLE_AFTER:
                    failures = 0
                backoff = random.uniform(0.0, min(5.0, 0.1 * 2 ** min(failures, 10)))
                failures += 1
                await asyncio.sleep(max(backoff, self._not_before - loop.time()))
        except RehydraError as error:
            end = error
        except asyncio.CancelledError:
            end = RehydraError("disconnected")
            raise
        finally:
            self._end = end
            for one in self._outgoing.values():
                one.settle(end)
            self._welcomed.set()
            self._frames.put_nowait(None)

    def _wait_at_least(self, seconds: float) -> None:
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)

    async def _hold_connection(self, url: str) -> None:
        """Use one connection up to its end. Raises RehydraError if the client must not connect again."""
        token = self.credential() if callable(self.credential) else self.credential
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        place = {"session_id": self.session_id, "after": self._offset, "epoch": self._epoch}
        hello = {"type": "hello", "client_id": self.client_id, "user_id": self.user_id, **place}
        try:
            # The library sends a ping every 20 seconds, and closes the connection if no pong comes within 10.
            async with connect(
                url, additional_headers=headers, max_size=None, ping_timeout=10, close_timeout=2
            ) as socket:
                await socket.send(encode({name: value for name, value in hello.items() if value is not None}))
                frame: Frame = {}
                while self._socket is not None or frame.get("type") != "error":  # After an error a new hello may work.
                    frame = json.loads(await socket.recv())
                    if frame["type"] == "welcome":
                        self._socket = socket
                    self._handle(frame)
        except ConnectionClosed as closed:
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
            if code in FINAL_CLOSE_CODES or (code == 1000 and reason == "closed"):
                raise RehydraError(reason or f"close_{code}") from closed
        except InvalidStatus as error:
            status = error.response.status_code
            if status not in (408, 425, 429) and status < 500:
                raise RehydraError(f"http_{status}", (error.response.body or b"").decode(errors="replace")) from error
            retry_after = error.response.headers.get("Retry-After", "")
            self._wait_at_least(float(retry_after) if retry_after.isdigit() else 0.0)
        except InvalidURI as error:
            raise RehydraError("invalid_url", str(error)) from error
        except (OSError, WebSocketException):
            pass  # Another attempt may succeed.
        finally:
            self._socket = None

    def _handle(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "welcome":
            self._welcome(frame)
        elif kind == "reset":
            self._reset(frame)
        elif kind == "error":
            self._refuse(RehydraError.of(frame), frame.get("message_id"))
        elif "offset" in frame:  # A frame of an unknown type counts too.
            self._offset, self._epoch = frame["offset"], frame["epoch"]
            self._follow_turn(frame)
        if request := self._outgoing.get(kind):
            turn = self.turns.get(frame.get("turn_id", ""))
            if turn is None or request.frame["message_id"] in turn.message_ids:
                request.settle()
        self._frames.put_nowait(frame)
        if kind == "expired":
            raise RehydraError("closed" if frame["reason"] == "closed" else "session_expired", frame["reason"])
        if self._catch_up_to is not None and self._offset >= self._catch_up_to:
            self._catch_up_to = None
            self._wake.set()

    def _welcome(self, frame: Frame) -> None:
        if not frame["resumed"]:  # A new session, so nothing of an older one counts.
            self._offset, self._epoch, self.turns = 0, None, {}
            for message in self._outgoing.values():
                if message.is_answered:
                    message.settle(RehydraError("session_expired"))
        self.session_id = frame["session_id"]
        self._catch_up_to = frame["offset"]
        self._welcomed_at = asyncio.get_running_loop().time()
        self._welcomed.set()

    def _reset(self, frame: Frame) -> None:
        """Begin again with the transcript. It names no messages, so only turns that the client knew have their ids."""
        self._offset, self._epoch = frame["offset"], frame["epoch"]
        self._catch_up_to = frame["offset"]
        known, self.turns = self.turns, {}
        for entry in frame["transcript"]:
            if entry["role"] == "assistant":
                ids = known.get(entry["turn_id"], Turn([])).message_ids
                self._end_turn(entry["turn_id"], Turn(ids, entry["content"], {"type": "turn.completed"}))
        # The store may have lost a message that it acknowledged. The session takes each id once, so all go again.
        for one in self._outgoing.values():
            if one.frame["type"] == "message" and not one.turn.done():
                self._send_again(one)

    def _send_again(self, message: Outgoing) -> None:
        message.is_answered, message.sent_on = False, None
        self._wake.set()

    def _refuse(self, error: RehydraError, message_id: str | None) -> None:
        if message_id is not None:
            message = self._outgoing.get(message_id)
            if error.code == "duplicate_message":
                self._acknowledge(message_id)
            elif message is not None and error.code in PASSING_REFUSALS:
                asyncio.get_running_loop().call_later(error.retry_after or 1.0, self._send_again, message)
            elif message is not None:
                self._outgoing.pop(message_id).settle(error)
        elif self._socket is None or error.code in CONNECTION_ERRORS:
            self._wait_at_least(error.retry_after)
            if self._socket is None and not error.retryable and error.code != "identity_ended":
                raise error  # The server refuses the hello.
        else:
            for answered_by in ("turn.cancelled", "expired"):
                if request := self._outgoing.get(answered_by):
                    request.settle(error)

    def _acknowledge(self, message_id: str) -> None:
        if message := self._outgoing.get(message_id):
            message.settle()

    def _follow_turn(self, frame: Frame) -> None:
        kind, turn_id = frame["type"], frame.get("turn_id", "")
        if kind == "message.queued":
            self._acknowledge(frame["message_id"])
        elif kind == "turn.started":  # A second one for the same turn clears its text.
            self.turns[turn_id] = Turn(frame.get("message_ids", [frame["message_id"]]))
            for message_id in self.turns[turn_id].message_ids:
                self._acknowledge(message_id)
        elif kind == "delta" and (turn := self.turns.get(turn_id)):
            turn.text += frame["text"]
        elif kind in TURN_ENDS:  # A cancelled message that waited has no turn.
            turn = self.turns.get(turn_id) or Turn([])
            if frame["message_id"] not in turn.message_ids:
                turn.message_ids.append(frame["message_id"])
            turn.ending = frame
            self._end_turn(turn_id, turn)
        elif kind == "turn.retracted":
            self.turns.pop(turn_id, None)

    def _end_turn(self, turn_id: str, turn: Turn) -> None:
        self.turns[turn_id] = turn
        for message_id in turn.message_ids:
            self._acknowledge(message_id)
            if message := self._outgoing.pop(message_id, None):
                message.turn.set_result(turn)


async def main() -> None:
    urls = os.environ.get("REHYDRA_WS", "ws://127.0.0.1:8080/v1/session").split(",")
    content = " ".join(sys.argv[1:]) or "My knee hurts."
    async with Client(urls, os.environ.get("REHYDRA_TOKEN")) as client:
        message_id = await client.send(content)
        async for frame in client:
            if frame["type"] == "turn.started" and "restarts" in frame:
                print("\n(the answer starts over)", flush=True)
            elif frame["type"] == "delta":
                print(frame["text"], end="", flush=True)
            elif frame["type"] == "reset" or (frame["type"] in TURN_ENDS and frame["message_id"] == message_id):
                break
        whole = await client.answer(message_id)
        print(f"\n{json.dumps({'session_id': client.session_id, 'answer': whole})}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
