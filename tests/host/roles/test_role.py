"""The words of `--role`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.envoy.address import Address
from headrace.host.roles.role import Role, RoleError, clashes, parse_role

EVERY = "0.0.0.0"
SAID = [
    ("picker", Role("picker", Address(EVERY, 9002), Address(EVERY, 9003))),
    ("route,timeout=2s", Role("route", Address(EVERY, 9004), Address(EVERY, 9005), timeout_s=2.0)),
    ("traffic,plain", Role("traffic", Address(EVERY, 9006), Address(EVERY, 9007), tls=False)),
    ("picker@gemma", Role("picker", Address(EVERY, 9002), Address(EVERY, 9003), "gemma")),
    ("picker,health=9", Role("picker", Address(EVERY, 9002), Address(EVERY, 9))),
    ("own=127.0.0.1:0", Role("own", Address("127.0.0.1", 0))),
    ("*=[::1]:9,plain,health=10", Role("*", Address("::1", 9), Address("::1", 10), tls=False)),
    ("own=127.0.0.1:9,timeout=50ms", Role("own", Address("127.0.0.1", 9), timeout_s=0.05)),
]
WRONG = [
    ("", "names no chain"),
    ("@gemma", "names no chain"),
    ("picker@", "names no chain"),
    ("own", "`own` says no address: write `own=IP:PORT`; only `picker`, `route`, `traffic`"),
    ("*", "says no address"),
    ("own=9002", "`own`: `9002` has no port"),
    ("own=127.0.0.1:9002,9003", "`9003` is not known: what follows a comma is `health=PORT`"),
    ("own=127.0.0.1:9002,", "`` is not known"),
    ("own=127.0.0.1:9002,health=", "has no valid port"),
    ("own=127.0.0.1:9002,health=70000", "has no valid port"),
    ("picker,timeout=soon", "`picker`: `soon` is not a duration"),
    ("picker,timeout=1ms", "a timeout of `1ms` is out of range: use 0.01 to 3600 s"),
    ("picker,timeout=2h", "a timeout of `2h` is out of range"),
]
CLASHING = [
    (("picker", "picker"), "`picker` is there twice"),
    (("picker", "own=0.0.0.0:9003"), "`own`: `picker` has port 9003 already"),
    (("own=0.0.0.0:9,health=9",), "`own`: `own` has port 9 already"),
]


@pytest.mark.parametrize(("text", "role"), SAID)
def test_a_role_without_an_address_has_the_ports_of_the_reference(text: str, role: Role) -> None:
    assert parse_role(text) == role


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_what_is_no_role_is_told_with_the_cure(text: str, says: str) -> None:
    with pytest.raises(RoleError) as error:
        parse_role(text)

    assert says in str(error.value)


@pytest.mark.parametrize(("texts", "says"), CLASHING)
def test_two_roles_for_one_port_are_told(texts: tuple[str, ...], says: str) -> None:
    told = clashes(tuple(parse_role(text) for text in texts))

    assert any(says in line for line in told)


def test_free_ports_and_other_addresses_clash_with_nothing() -> None:
    free = Address("127.0.0.1", 0)
    roles = (
        Role("a", free, free),
        Role("b", free, free),
        *(parse_role(text) for text in ("picker", "route", "traffic")),
        parse_role("picker@gemma=127.0.0.1:9002"),
    )

    assert clashes(roles) == []


@given(st.text(st.sampled_from("ap*@=:.,[]019 healthtimeoutplain"), max_size=40))
def test_whatever_is_written_is_a_role_or_told(text: str) -> None:
    try:
        role = parse_role(text)
    except RoleError:
        return

    assert role.chain
    assert 0 <= role.listen.port <= 65_535
