"""Addresses: what is one, and what is said about what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.envoy.address import Address, AddressError, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9002", "127.0.0.1", 9002),
        ("[::1]:80", "::1", 80),
        ("0.0.0.0:65535", "0.0.0.0", 65_535),
        ("[2001:DB8::1]:1", "2001:db8::1", 1),
    ],
)
def test_an_address_is_an_ip_and_a_port(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("9002", "has no port"),
        ("localhost:80", "does not begin with an IP address"),
        ("::1:80", "in brackets"),
        ("127.0.0.1:0", "use 1 to 65535"),
        ("127.0.0.1:65536", "use 1 to 65535"),
        ("127.0.0.1:\u0662", "use 1 to 65535"),
        ("127.0.0.1:", "use 1 to 65535"),
        (":80", "does not begin with an IP address"),
    ],
)
def test_a_text_that_is_no_address_is_told_the_cure(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        parse_address(text)


def test_port_0_is_for_those_who_listen() -> None:
    assert parse_address("127.0.0.1:0", free_port=True).port == 0


@given(st.ip_addresses(), st.integers(1, 65_535))
def test_an_address_printed_is_read_again(ip: object, port: int) -> None:
    address = Address(str(ip), port)

    assert parse_address(str(address)) == address


@given(st.text())
def test_any_text_is_an_address_or_named_in_the_refusal(text: str) -> None:
    try:
        said = str(parse_address(text).port)
    except AddressError as error:
        said = str(error)

    assert said in text or f"`{text}`" in said
