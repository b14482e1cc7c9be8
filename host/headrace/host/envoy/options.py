"""What an operator chooses about an Envoy; everything else follows from the policy."""

from dataclasses import dataclass

from headrace.host.envoy.address import Address

Tree = dict[str, object]  # a JSON object, as Envoy's configuration is one


@dataclass(frozen=True, slots=True)
class EnvoyOptions:
    """The choices that no policy makes.

    processors      one address per `headrace serve` process: Envoy keeps one connection to each
    chain           the chain to run; named to the processor unless it is `default`
    processor_tls   encrypt the way to the processors
    processor_ca    a PEM file that the processors' certificates must chain to; without it
                    TLS encrypts but does not authenticate
    idle_timeout_s  how long a stream may be silent both ways before Envoy ends it with 504,
                    beside the longest time that the policy lets it wait
    answer_wait_s   how long Envoy waits for each answer in the body modes that have a timer
    """

    listen: Address
    processors: tuple[Address, ...]
    admin: Address | None = None
    chain: str = "default"
    processor_tls: bool = False
    processor_ca: str = ""
    access_log: bool = False
    idle_timeout_s: int = 600
    answer_wait_s: int = 10
