"""Free ports."""

import socket

from headrace.host.demo.ports import free_ports


def test_free_ports_differ_and_can_be_listened_on_at_once() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20
    sockets = [socket.create_server(("127.0.0.1", port)) for port in ports]
    for one in sockets:
        one.close()


def test_a_taken_port_is_passed_over() -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        assert port not in free_ports(500)
