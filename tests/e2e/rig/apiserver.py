"""A real API server of Kubernetes on its etcd: on free ports of the loopback, always ended.

Who has none skips: `make apiserver` builds both, see CONTRIBUTING. Beside the two there is
nothing: no scheduler, no controllers, no kubelet. What they would say, tests say in their place.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.rig.config import LOOPBACK
from tests.e2e.rig.envoy import tail
from tests.e2e.rig.process import end, free_port
from tests.host.cluster.apiserver import Kind

BIN = Path(__file__).parents[3] / ".venv" / "bin"
START_S_MAX = 60.0
POLL_S = 0.05
ADMIN = "admin-of-the-tests"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
Json = dict[str, Any]  # Any: objects of every kind


def binary(name: str, variable: str) -> str | None:
    """Return where the program *name* is: by the environment's *variable*, the PATH, or `.venv`."""
    return os.environ.get(variable) or shutil.which(name) or shutil.which(name, path=str(BIN))


SERVER, ETCD = binary("kube-apiserver", "KUBE_APISERVER"), binary("etcd", "ETCD")
needed = pytest.mark.skipif(
    not (SERVER and ETCD), reason="no kube-apiserver and etcd here: `make apiserver`"
)


class ApiFault(Exception):
    """The API server did not start, or refused what a test asked. *status*: of HTTP, or 0."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"HTTP {status}: {text}" if status else text)


@dataclass(slots=True)
class Real:
    """A running API server with all rights for who asks through it. Used from any thread.

    authority  the file with the certificate that it shows
    """

    folder: Path
    port: int
    store: str
    authority: Path
    _process: "subprocess.Popen[bytes] | None" = None
    _paths: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _pool: urllib3.PoolManager | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Listen, with what is stored; return when it is ready.

        Raises:
            ApiFault: it is not, in time.
        """
        log = self.folder / "kube-apiserver.log"
        with log.open("ab") as sink:
            self._process = subprocess.Popen(_command(self), stdout=sink, stderr=sink)
        until_s = time.monotonic() + START_S_MAX
        while time.monotonic() < until_s and self._process.poll() is None:
            try:
                self.ask("GET", "/readyz")
            except (ApiFault, urllib3.exceptions.HTTPError, OSError):
                time.sleep(POLL_S)
            else:
                return
        raise ApiFault(0, f"it is not ready\n{tail(log)}")

    def kill(self) -> None:
        """Die, without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._pool = None

    def stop(self) -> None:
        """End as one that is told to."""
        if self._process is not None:
            end(self._process)

    def ask(
        self, method: str, path: str, body: object = None, kind: str = "application/json"
    ) -> Json:
        """Return what it answers; *kind* is the type of the *body*.

        Raises:
            ApiFault: an error.
        """
        status, said = self.say(method, path, body, kind)
        if status >= 400:
            raise ApiFault(status, said.decode(errors="replace"))
        try:
            return cast(Json, json.loads(said))
        except ValueError:
            return {"text": said.decode()}

    def say(
        self,
        method: str,
        path: str,
        body: object = None,
        kind: str = "application/json",
        token: str = ADMIN,
    ) -> tuple[int, bytes]:
        """Return the status and the body of any answer to who shows *token*."""
        pool = self._pool
        if pool is None:
            pool = self._pool = urllib3.PoolManager(
                ca_certs=str(self.authority), maxsize=16, block=True, retries=False
            )
        headers = {"authorization": f"Bearer {token}", "content-type": kind}
        octets = None if body is None else json.dumps(body).encode()
        answer = pool.request(method, f"{self.url}{path}", body=octets, headers=headers, timeout=30)
        return answer.status, answer.data

    def path(self, one: Json, namespace: str = "default") -> str:
        """Return where the object *one* is, or would be."""
        version, kind = str(one["apiVersion"]), str(one["kind"])
        if (version, kind) not in self._paths:
            root = f"/apis/{version}" if "/" in version else f"/api/{version}"
            for found in self.ask("GET", root)["resources"]:
                if "/" not in found["name"]:
                    space = "/namespaces/%s" if found["namespaced"] else ""
                    self._paths[version, found["kind"]] = f"{root}{space}/{found['name']}"
        where = self._paths[version, kind]
        space = one["metadata"].get("namespace", namespace)
        return f"{where % space if '%s' in where else where}/{one['metadata']['name']}"

    def apply(self, one: Json) -> Json:
        """Have the object *one* there as it is given, its status included; return it.

        Raises:
            ApiFault: it is refused.
        """
        path, status = self.path(one), one.get("status")
        given = {name: value for name, value in one.items() if name != "status"}
        made = self.ask("PATCH", f"{path}?fieldManager=tests&force=true", given, APPLY)
        if status:
            made = self.ask("PATCH", f"{path}/status", {"status": status}, MERGE)
        return made

    def put(self, kind: Kind, given: Json) -> Json:
        """Have an object of *kind* there as it is given; return it."""
        return self.apply({"apiVersion": kind.api_version, "kind": kind.kind, **given})

    def delete(self, kind: Kind, name: str, namespace: str = "default") -> None:
        """Have an object deleted; a pod that is on a node is only marked so."""
        meta = {"name": name, "namespace": namespace}
        one = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
        self.ask("DELETE", self.path(one))

    def install(self, *kinds: Kind) -> None:
        """Have custom *kinds* there, whose objects may say anything; return when they can be asked.

        Of them only what matters here is kept from the definitions that are published.
        """
        for kind in kinds:
            made = self.apply(definition(kind))
            version, at = kind.api_version, time.monotonic() + START_S_MAX
            while self.say("GET", f"/apis/{version}/namespaces/x/{kind.plural}")[0] != 200:
                if time.monotonic() > at:
                    raise ApiFault(0, f"it does not know {made['metadata']['name']}")
                time.sleep(POLL_S)

    def token(self, account: str, namespace: str = "default", seconds: int = 3600) -> str:
        """Return a new token of a service account, good for *seconds*, at least 600."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        asked = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
        made = self.ask("POST", path, asked | {"spec": {"expirationSeconds": seconds}})
        return str(made["status"]["token"])

    def compact(self) -> None:
        """Have etcd forget what was before the newest revision."""
        with urllib3.PoolManager() as pool:
            found = pool.request("POST", f"{self.store}/v3/kv/range", body=b'{"key":"AA=="}')
            order = {"revision": found.json()["header"]["revision"], "physical": True}
            pool.request("POST", f"{self.store}/v3/kv/compaction", json=order)

    def kubeconfig(self, token: str = ADMIN, namespace: str = "default") -> Path:
        """Write a kubeconfig for who shows *token*, and return where."""
        path = self.folder / "kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        context = {"cluster": "real", "user": "me", "namespace": namespace}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "here",
                    "clusters": [{"name": "real", "cluster": cluster}],
                    "users": [{"name": "me", "user": {"token": token}}],
                    "contexts": [{"name": "here", "context": context}],
                }
            )
        )
        return path


@contextmanager
def running(folder: Path) -> Generator[Real]:
    """Run an API server with an empty store, and RBAC.

    Raises:
        ApiFault: it did not become ready in time.
    """
    port, peer, client = free_port(), free_port(), free_port()
    store = f"http://{LOOPBACK}:{client}"
    with (folder / "etcd.log").open("wb") as sink:
        etcd = subprocess.Popen(_etcd(folder, store, peer), stdout=sink, stderr=sink)
    real = Real(folder, port, store, folder / "certs" / "apiserver.crt")
    _identities(folder)
    try:
        real.start()
        yield real
    finally:
        real.stop()
        end(etcd)


def definition(kind: Kind) -> Json:
    """Return a definition of *kind*: a status that is written apart, and any fields at all."""
    anything: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    fields: Json = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version: Json = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": fields},
    }
    # Whoever defines a kind of a group that ends in k8s.io has to say where that was agreed.
    agreed = {"api-approved.kubernetes.io": "unapproved, a test"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}", "annotations": agreed},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"plural": kind.plural, "kind": kind.kind},
            "versions": [version],
        },
    }


def _etcd(folder: Path, store: str, peer: int) -> list[str]:
    assert ETCD is not None, "only asked where it is installed"
    between = f"http://{LOOPBACK}:{peer}"
    return [
        *(ETCD, "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
        *("--listen-client-urls", store, "--advertise-client-urls", store),
        *("--listen-peer-urls", between, "--initial-advertise-peer-urls", between),
        *("--initial-cluster", f"default={between}", "--log-level", "error"),
    ]


def _identities(folder: Path) -> None:
    """Write who is known by a token, and the key by which accounts get theirs."""
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kept = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "accounts.key").write_bytes(kept)


def _command(real: Real) -> list[str]:
    assert SERVER is not None, "only asked where it is installed"
    folder, key = real.folder, str(real.folder / "accounts.key")
    return [
        *(SERVER, "--etcd-servers", real.store, "--secure-port", str(real.port)),
        *("--bind-address", LOOPBACK, "--advertise-address", LOOPBACK),
        *("--cert-dir", str(folder / "certs"), "--endpoint-reconciler-type", "none"),
        *("--authorization-mode", "RBAC", "--token-auth-file", str(folder / "tokens.csv")),
        *("--service-account-issuer", "https://tests.invalid"),
        *("--service-account-key-file", key, "--service-account-signing-key-file", key),
        *("--service-cluster-ip-range", "10.0.0.0/24"),
        # Nobody makes the service account of a namespace, which pods would have to have.
        *("--disable-admission-plugins", "ServiceAccount"),
    ]
