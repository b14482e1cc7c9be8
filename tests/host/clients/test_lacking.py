"""What guards need of a machine is told before it serves; who may know which package."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.dsl.guarding import Guard, Provision
from headrace.dsl.program import Program
from headrace.host.clients import armor_wire, lacking
from headrace.host.envoy.address import Address
from headrace.host.serve.options import ServeOptions
from headrace.host.serve.process import Host, Unservable
from tests.extensions.body_router.policies import program, span
from tests.host.clients.house import one

ROOT = Path(__file__).parents[3]
ANY = Address("127.0.0.1", 0)
SIGNED = Provision("lakera", "http://h", secrets={"authorization": "LAKERA_KEY"})
GRPC = Provision("model_armor", "http://h", {"transport": one("grpc")})


def asks(provision: Provision | None) -> Program:
    return program(guards=(Guard("first", span()), Guard("shield", span(), ask=provision)))


def test_a_secret_that_is_not_set_is_told_with_guard_and_variable() -> None:
    assert lacking.lacking(asks(SIGNED), {}) == (
        "guard `shield` takes the header `authorization` from the environment: "
        "`LAKERA_KEY` is not set, set it before `headrace serve`"
    )
    assert lacking.lacking(asks(SIGNED), {"LAKERA_KEY": "planted\n\x01"}) == (
        "guard `shield` takes the header `authorization` from the environment: "
        "`LAKERA_KEY` has characters that no header may have"
    )
    assert lacking.lacking(asks(SIGNED), {"LAKERA_KEY": "k"}) == ""
    assert lacking.lacking(asks(None), {}) == ""


def test_grpc_without_its_package_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking.lacking(asks(GRPC), {}) == ""

    monkeypatch.setattr(lacking, "installed", lambda: False)

    assert "install `headrace[model-armor]`" in lacking.lacking(asks(GRPC), {})


def test_what_grpc_needs_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys\n"
        "from headrace.host.clients.lacking import ready\n"
        "from tests.host.clients.test_lacking import GRPC, SIGNED, asks\n"
        "found = []\n"
        "for provision in (SIGNED, GRPC):\n"
        "    ready(asks(provision))\n"
        "    found.append('google.cloud.modelarmor_v1' in sys.modules)\n"
        "print(found)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert done.stdout == "[False, True]\n", done.stderr


@pytest.mark.parametrize(
    ("package", "there"), [("json", True), ("no_such", False), ("no_such.inner", False)]
)
def test_whether_the_package_is_there_is_asked_without_importing_it(
    package: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(armor_wire, "PACKAGE", package)

    assert armor_wire.installed() is there


def test_a_host_refuses_at_the_start_a_guard_whose_secret_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LAKERA_KEY", raising=False)
    guards = (replace(Guard("shield", span(), patterns=("x",)), ask=SIGNED),)
    options = ServeOptions(listen=ANY, metrics_listen=ANY)

    with pytest.raises(Unservable, match=r"guard `shield` .* `LAKERA_KEY` is not set"):
        Host(program(guards=guards), options)


def test_only_the_clients_know_googles_packages() -> None:
    knowing = {
        path.relative_to(ROOT).parts[3]
        for top in ("host", "extensions", "dsl")
        for path in (ROOT / top).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(("google.auth", "google.cloud.modelarmor_v1", "google.rpc."))
    }

    assert knowing == {"clients"}
