import socket
from collections.abc import Callable, Iterator

import pytest
from huggingface_hub import constants

from bench.models import hub
from bench.models.hub import SECONDS, attempts, is_reachable


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what was found before, be online, and have no proxy."""
    is_reachable.cache_clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "getproxies", dict)
    yield
    is_reachable.cache_clear()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, float]]:
    """Record where connections would go instead of opening them."""
    tried: list[tuple[object, float]] = []

    def connect(address: object, *, timeout: float) -> socket.socket:
        tried.append((address, timeout))
        return socket.socket()

    monkeypatch.setattr(socket, "create_connection", connect)
    return tried


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen on this machine in place of the hub."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        yield server


def test_offline(
    connections: list[tuple[object, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who works offline never tries, proxy or not."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "getproxies", lambda: {"https": "http://proxy"})

    assert not is_reachable()
    assert attempts() == (True,)
    assert connections == []


def test_behind_a_proxy(
    connections: list[tuple[object, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy the client is left to try, whatever a connection would say."""
    monkeypatch.setattr(hub, "getproxies", lambda: {"https": "http://proxy"})

    assert is_reachable()
    assert attempts() == (True, False)
    assert connections == []


@pytest.mark.usefixtures("listening")
def test_reachable() -> None:
    """Where something listens the cache comes first and the network second."""
    assert is_reachable()
    assert attempts() == (True, False)


def test_unreachable(listening: socket.socket) -> None:
    """Where nothing listens the cache is all there is."""
    listening.close()

    assert not is_reachable()
    assert attempts() == (True,)


def refused(*_: object, **__: object) -> None:
    """Refuse a connection."""
    raise ConnectionRefusedError


def too_late(*_: object, **__: object) -> None:
    """Give no answer in time."""
    raise TimeoutError


def unknown(*_: object, **__: object) -> None:
    """Find no such host."""
    raise socket.gaierror


@pytest.mark.parametrize("connect", [refused, too_late, unknown])
def test_every_failure_is_an_answer(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a connection fails, the hub is unreachable and nothing is raised."""
    monkeypatch.setattr(socket, "create_connection", connect)

    assert not is_reachable()


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("https://huggingface.co", ("huggingface.co", 443)),
        ("https://mirror.example/path", ("mirror.example", 443)),
        ("https://mirror.example:8443", ("mirror.example", 8443)),
        ("http://mirror.example", ("mirror.example", 80)),
    ],
)
def test_where_is_tried(
    endpoint: str,
    address: tuple[str, int],
    connections: list[tuple[object, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The host and port of the endpoint are tried, for a few seconds."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)

    assert is_reachable()
    assert connections == [(address, SECONDS)]


def test_tried_once(connections: list[tuple[object, float]]) -> None:
    """However many models are asked for, one connection is opened."""
    for _ in range(3):
        assert attempts() == (True, False)

    assert len(connections) == 1
