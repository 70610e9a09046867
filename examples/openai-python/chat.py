"""One question to Rehydra through the client of OpenAI. The text appears as the model writes it. If the connection breaks,
or the instance dies, the stream goes on after its last event, at the next address.

    pip install openai
    python examples/openai-python/chat.py "My knee hurts."

REHYDRA_URL lists the addresses, with commas. REHYDRA_TOKEN is a credential.
"""

import json
import os
import sys
import time
import uuid

from openai import APIStatusError, OpenAI

ATTEMPTS_MAX = 100
PAUSE_S = 0.2
ENDS = ("response.completed", "response.incomplete", "response.failed")


class Chat:
    """The response so far: its id and the number of its last event."""

    def __init__(self, question: str) -> None:
        self.question = question
        # The same key makes the request repeatable, at any address.
        self.headers = {"Idempotency-Key": str(uuid.uuid4())}
        self.id: str | None = None
        self.number = 0
        self.response = None

    def open(self, client: OpenAI):
        if self.id is None:
            # The service has one model, and any other name is refused.
            model = client.models.list().data[0].id
            return client.responses.create(
                model=model, input=self.question, stream=True, extra_headers=self.headers
            )
        return client.responses.retrieve(self.id, stream=True, starting_after=self.number)

    def follow(self, client: OpenAI) -> None:
        for event in self.open(client):
            # An `error` event ends a stream before its response: the loop below resumes it.
            if event.type == "error":
                return
            self.number = event.sequence_number
            if event.type == "response.created":
                self.id = event.response.id
            elif event.type == "response.output_text.delta":
                print(event.delta, end="", flush=True)
            elif event.type in ENDS:
                self.response = event.response


def main() -> None:
    addresses = os.environ.get("REHYDRA_URL", "http://127.0.0.1:8080").split(",")
    token = os.environ.get("REHYDRA_TOKEN", "none")
    clients = [
        OpenAI(base_url=f"{address.rstrip('/')}/v1", api_key=token, max_retries=0) for address in addresses
    ]
    chat = Chat(" ".join(sys.argv[1:]) or "hello")
    attempt = 0
    while chat.response is None:
        try:
            chat.follow(clients[attempt % len(clients)])
        # A broken stream raises the error of the HTTP library, which differs between versions of the client.
        except Exception as error:
            is_final = isinstance(error, APIStatusError) and error.status_code < 500
            if is_final or attempt >= ATTEMPTS_MAX:
                raise
        attempt += 1
        if chat.response is None:
            time.sleep(PAUSE_S)
    response = chat.response
    result = {"id": response.id, "status": response.status, "answer": response.output_text}
    print(f"\n{json.dumps(result)}")


if __name__ == "__main__":
    main()
