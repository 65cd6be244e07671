"""Published weights from a server: whole, broken off, changed, and not what they should be."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
import torch

from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp, published
from yolox_attn.exp.published import RELEASE, fetch
from yolox_attn.names import PUBLISHED_SIZES
from yolox_attn.runs import alone_at


@dataclass
class Server:
    """What a local server gives: its file, how much of it at a time, and what it was asked for."""

    content: bytes
    most: int | None = None
    tag: str | None = '"one"'
    asked: list[str | None] = field(default_factory=list)
    address: str = ""
    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event | None = None  # what it waits for in the middle of the file


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("weights") / "nano.pth"
    torch.save({"model": load_exp(name="yolox-nano").get_model().state_dict()}, path)
    return path.read_bytes()


@pytest.fixture
def server(weights: bytes) -> Iterator[Server]:
    state = Server(weights)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.headers.get("Range"))
            if self.path != "/yolox_nano.pth":
                self.send_error(404)
                return
            same = self.headers.get("If-Range") in (None, state.tag)
            start = int(self.headers["Range"][6:-1]) if self.headers["Range"] and same else 0
            body = state.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if state.tag:
                self.send_header("ETag", state.tag)
            self.end_headers()
            if state.go_on:
                self.wfile.write(body[:1000])
                state.begun.set()
                state.go_on.wait(60)
                body = body[1000:]
            self.wfile.write(body[: state.most])  # and the connection is closed

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.address = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield state
        http.shutdown()


def test_weights_are_fetched_once_and_known_again(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "weights"
    path = fetch("nano", folder, release=server.address, progress=lambda *n: seen.append(n))
    assert path.read_bytes() == server.content
    assert seen[-1] == (len(server.content),) * 2
    assert sorted(each.name for each in folder.iterdir()) == [path.name, f"{path.name}.sha256"]
    assert fetch("nano", folder, release=server.address) == path
    assert len(server.asked) == 1
    path.write_bytes(server.content[:-1] + b"x")
    with pytest.raises(InputError, match="is not what was fetched"):
        fetch("nano", folder, release=server.address)
    (folder / f"{path.name}.sha256").unlink()
    with pytest.raises(InputError, match="was not fetched by this"):
        fetch("nano", folder, release=server.address)


def test_a_fetch_that_was_broken_off_goes_on(server: Server, tmp_path: Path) -> None:
    server.most = 1_000_000
    for _ in range(len(server.content) // server.most):
        with pytest.raises(InputError, match="the same command goes on"):
            fetch("nano", tmp_path, release=server.address)
    path = fetch("nano", tmp_path, release=server.address)
    assert path.read_bytes() == server.content
    starts = range(1_000_000, len(server.content), 1_000_000)
    assert server.asked == [None, *(f"bytes={start}-" for start in starts)]


@pytest.mark.parametrize("tag", ['"two"', None], ids=["another file", "no tag"])
def test_a_file_that_may_have_changed_meanwhile_is_fetched_anew(
    server: Server, tmp_path: Path, tag: str | None
) -> None:
    weights, before = server.content, server.tag
    server.content, server.most, server.tag = b"x" * len(weights), 1000, tag and before
    with pytest.raises(InputError, match="goes on"):
        fetch("nano", tmp_path, release=server.address)
    server.content, server.most, server.tag = weights, None, tag
    assert fetch("nano", tmp_path, release=server.address).read_bytes() == weights


def test_what_is_not_these_weights_is_not_kept(server: Server, tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.ones(3)}}, tmp_path / "other.pth")
    for content, says in (
        (b"<html>not found</html>", "not a readable checkpoint"),
        ((tmp_path / "other.pth").read_bytes(), "holds another model"),
    ):
        server.content = content
        with pytest.raises(InputError, match=f"is no yolox-nano: .*{says}"):
            fetch("nano", tmp_path / "w", release=server.address)
        assert not list((tmp_path / "w").iterdir())


def test_two_at_once_do_not_spoil_each_others_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yolox_attn.runs.folder.PATIENCE", 0)
    server.go_on = threading.Event()
    with ThreadPool(1) as pool:
        first = pool.apply_async(fetch, ("nano", tmp_path), {"release": server.address})
        assert server.begun.wait(60)
        with pytest.raises(InputError, match=r"nano\.pth\.part: another process is fetching it"):
            fetch("nano", tmp_path, release=server.address)
        server.go_on.set()
        path = first.get(60)
    assert path.read_bytes() == server.content
    assert len(server.asked) == 1
    assert fetch("nano", tmp_path, release=server.address) == path


def test_who_comes_when_another_has_just_ended_takes_its_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def after_another(part: Path, *, busy: str) -> AbstractContextManager[None]:
        monkeypatch.setattr(published, "alone_at", alone_at)
        fetch("nano", tmp_path, release=server.address)
        return alone_at(part, busy=busy)

    monkeypatch.setattr(published, "alone_at", after_another)
    path = fetch("nano", tmp_path, release=server.address)
    assert path.read_bytes() == server.content
    assert len(server.asked) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, f"{path.name}.sha256"]


def test_no_server_no_file_no_size(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="404"):
        fetch("tiny", tmp_path, release=server.address)
    with pytest.raises(InputError, match=r"cannot fetch http://127\.0\.0\.1:9/yolox_s\.pth"):
        fetch("s", tmp_path, release="http://127.0.0.1:9")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no published weights of size huge: nano, tiny, s"):
        fetch("huge", tmp_path)
    assert RELEASE.startswith("https://github.com/Megvii-BaseDetection/YOLOX/")
    assert len(PUBLISHED_SIZES) == 6
