"""The credentials of a pod: its mounted token, CA and namespace, against the double with TLS."""

import datetime
import ssl
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from headrace.host.cluster.api import Access, Api, CannotConnect, Failed
from headrace.host.cluster.reading import Pod, read_pod
from headrace.host.cluster.resource import pods
from headrace.host.cluster.watcher import Watcher
from headrace.host.extproc.tls import self_signed
from tests.host.cluster.apiserver import PODS, ApiServer, serving
from tests.host.cluster.objects import pod, until

GEMMA = pods("serving", (("app", "gemma"),))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[ApiServer]:
    """Run an API server as a pod finds it: by environment, and by files in `tmp_path`."""
    made = self_signed(["127.0.0.1"], datetime.datetime.now(datetime.UTC))
    (tmp_path / "ca.crt").write_bytes(made.certificate)
    (tmp_path / "tls.key").write_bytes(made.key)
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "namespace").write_text("serving\n")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "ca.crt", tmp_path / "tls.key")
    with serving(token="first", tls=tls, bookmark_s=0.1) as running:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(running.port))
        running.shelf.put(PODS, _pod("first"))
        yield running


def _pod(name: str) -> dict[str, object]:
    made = pod(name)
    made["metadata"]["namespace"] = "serving"
    return made


def test_a_pod_follows_its_cluster_and_so_it_does_when_its_token_is_rotated(
    server: ApiServer, tmp_path: Path
) -> None:
    api = Api(Access(account=tmp_path))
    results: list[str] = []
    one: Watcher[object] = Watcher(
        GEMMA, read_pod, api, _nothing, lambda _, how: results.append(how)
    )
    one.start()

    def ready() -> set[str]:
        return {p.name for p in one.known.items.values() if isinstance(p, Pod)}

    try:
        assert (api.namespace, api.host) == ("serving", server.url)
        until(lambda: ready() == {"first"} and server.watches() == 1)
        (tmp_path / "token").write_text("second")
        server.token = "second"
        server.cut()
        server.shelf.put(PODS, _pod("second"))
        until(lambda: ready() == {"first", "second"})
        assert "unauthorized" in results
    finally:
        one.stop()
        one.join(5.0)


def test_a_server_that_the_mounted_authority_has_not_signed_is_not_talked_to(
    server: ApiServer, tmp_path: Path
) -> None:
    other = self_signed(["127.0.0.1"], datetime.datetime.now(datetime.UTC))
    (tmp_path / "ca.crt").write_bytes(other.certificate)

    with pytest.raises(Failed, match=r"(?i)certificate"):
        Api(Access(account=tmp_path)).get(GEMMA.path, ())


Lose = Callable[[Path, pytest.MonkeyPatch], object]


def _drop(name: str) -> Lose:
    return lambda folder, _: (folder / name).unlink()


def _empty_token(folder: Path, _: pytest.MonkeyPatch) -> None:
    (folder / "token").write_text("")


def _nowhere(_: Path, env: pytest.MonkeyPatch) -> None:
    env.delenv("KUBERNETES_SERVICE_HOST")


@pytest.mark.parametrize(
    ("lose", "says"),
    [
        (_drop("token"), "token file does not exist"),
        (_drop("ca.crt"), "certification file does not exist"),
        (_empty_token, "Token file exists but empty"),
        (_nowhere, "host/port is not set"),
    ],
)
def test_what_lacks_of_the_credentials_is_told(
    server: ApiServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lose: Lose,
    says: str,
) -> None:
    lose(tmp_path, monkeypatch)
    with pytest.raises(CannotConnect, match=says) as told:
        Api(Access(account=tmp_path))

    assert "outside a cluster, name a file by `--kubeconfig`" in str(told.value)


def test_without_a_namespace_it_is_the_one_called_default(
    server: ApiServer, tmp_path: Path
) -> None:
    (tmp_path / "namespace").unlink()

    assert Api(Access(account=tmp_path)).namespace == "default"


def _nothing() -> None:
    """Nobody wants to know."""
