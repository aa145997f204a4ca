# SPDX-License-Identifier: Apache-2.0
"""A small convolutional network behind a web server, as WSGI and ASGI; nothing in it is tuned. An answer is a line of JSON."""

import json
import os

import torch
from torch import nn

torch.manual_seed(0)
MODEL = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 1000)).eval()
IMAGE = torch.randn(1, 3, 112, 112)


def answer():
    with torch.inference_mode():
        checksum = MODEL(IMAGE).double().abs().sum().item()
    return json.dumps({"pid": os.getpid(), "threads": torch.get_num_threads(), "checksum": checksum}).encode()


def wsgi(_, start_response):
    body = answer()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event.endswith("shutdown"):
                return
    body = answer()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
