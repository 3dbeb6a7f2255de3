"""A real browser for tests of the page: chromium, spoken to over its debugging socket. It opens only file://."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import websocket

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self.problems: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)

    def send(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            self._note(message)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _note(self, message: Any) -> None:
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(str(message["params"]["exceptionDetails"]))
            case "Log.entryAdded":
                self.problems.append(message["params"]["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])

    def open(self, path: Path, hash: str = "", *, width: int = 1400, height: int = 1000) -> Page:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=f"{path.as_uri()}{hash}")
        while self.run("document.readyState") != "complete" or self.run("location.protocol") != "file:":
            pass
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self

    def run(self, script: str) -> Any:
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def key(self, key: str) -> None:
        code = {"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9}[
            key
        ]
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, to: Path, *, whole: bool = False) -> None:
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        to.write_bytes(base64.b64decode(shot["data"]))

    def print(self, to: Path) -> None:
        to.write_bytes(base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"]))


@contextmanager
def browser() -> Iterator[Page]:
    assert CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        command += ["--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        process = subprocess.Popen([*command, "about:blank"], stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr
            found = next(filter(None, (re.search(r"ws://([\d.:]+)/", line) for line in process.stderr)))
            request = Request(f"http://{found[1]}/json/new?about:blank", method="PUT")
            with urlopen(request, timeout=20) as answer:
                address = json.load(answer)["webSocketDebuggerUrl"]
            socket = websocket.create_connection(address, suppress_origin=True, timeout=30)
            yield Page(socket)
            socket.close()
        finally:
            process.terminate()
            process.wait(timeout=20)
