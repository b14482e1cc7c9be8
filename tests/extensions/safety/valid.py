"""Strategies of what detectors must find: numbers that pass their checks, made by other code."""

import base64
import json
import string
from collections.abc import Callable

from hypothesis import strategies as st

DIGITS = st.sampled_from("0123456789")
BASE62 = string.ascii_letters + string.digits
CARDS = {
    "4": (13, 16, 19),
    "51": (16,),
    "2221": (16,),
    "37": (15,),
    "36": (14,),
    "3528": (16,),
    "6011": (16, 19),
    "62": (16, 17, 18, 19),
    "2204": (16,),
    "58": (18,),
}
IBANS = {"DE": "18n", "GB": "4a14n", "FR": "10n11c2n", "NO": "11n", "MT": "4a5n18c", "CH": "5n12c"}
DOMAINS = ("example.com", "mail.example.co.uk", "xn--bcher-kva.example", "a-b.org", "büro.de")


def luhn_digit(digits: str) -> str:
    """Return the digit that makes the sum of *digits* and itself a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


@st.composite
def cards(draw: st.DrawFn) -> str:
    """Draw the number of a card, plain or in its brand's groups."""
    first, lengths = draw(st.sampled_from(sorted(CARDS.items())))
    length = draw(st.sampled_from(lengths))
    rest = length - len(first) - 1
    digits = first + "".join(draw(st.lists(DIGITS, min_size=rest, max_size=rest)))
    digits += luhn_digit(digits)
    sizes = {14: (4, 6, 4), 15: (4, 6, 5), 13: (13,)}.get(length, (4, 4, 4, 4, 3))
    split = draw(st.sampled_from(["", " ", "-", "\N{NO-BREAK SPACE}", " - ", "."]))
    groups, at = list[str](), 0
    for size in sizes:
        groups.append(digits[at : at + size])
        at += size
    return split.join(group for group in groups if group)


@st.composite
def ibans(draw: st.DrawFn) -> str:
    """Draw an account number, in groups of four or in one."""
    country, form = draw(st.sampled_from(sorted(IBANS.items())))
    body, count = "", ""
    for char in form:
        if char.isdigit():
            count += char
            continue
        kind = {"n": string.digits, "a": string.ascii_uppercase}.get(char, BASE62.upper())
        body += draw(st.text(kind, min_size=int(count), max_size=int(count)))
        count = ""
    number = int("".join(str(int(char, 36)) for char in f"{body}{country}00"))
    text = f"{country}{98 - number % 97:02}{body}"
    if draw(st.booleans()):
        text = " ".join(text[at : at + 4] for at in range(0, len(text), 4))
    return text if draw(st.booleans()) else text.lower()


@st.composite
def ssns(draw: st.DrawFn) -> str:
    """Draw a social security number that can be issued."""
    area = draw(st.integers(1, 899).filter(lambda area: area != 666))
    group, serial = draw(st.integers(1, 99)), draw(st.integers(1, 9999))
    text = f"{area:03}-{group:02}-{serial:04}"
    return text if text not in ("078-05-1120", "219-09-9999") else "123-45-6789"


@st.composite
def emails(draw: st.DrawFn) -> str:
    """Draw an e-mail address."""
    local = draw(st.text(BASE62 + "éжø", min_size=1, max_size=20))
    middle = draw(st.sampled_from(["", ".x", "+tag", "_y", "-z"]))
    return f"{local}{middle}@{draw(st.sampled_from(DOMAINS))}"


@st.composite
def ips(draw: st.DrawFn) -> str:
    """Draw an address of IPv4 or IPv6 that is not all zeros."""
    if draw(st.booleans()):
        return str(draw(st.ip_addresses(v=4)))
    text = str(draw(st.ip_addresses(v=6).filter(lambda address: int(address) != 0)))
    return text if any(char.isdigit() for char in text) else "2001:db8::1"


@st.composite
def phones(draw: st.DrawFn) -> str:
    """Draw a telephone number in a form that is common somewhere."""

    def some(count: int, alphabet: str = string.digits) -> str:
        return draw(st.text(alphabet, min_size=count, max_size=count))

    area, exchange = some(1, "23456789") + some(2), some(1, "23456789") + some(2)
    forms = (
        f"+1 ({area}) {exchange}-{some(4)}",
        f"({area}) {exchange}-{some(4)}",
        f"{area}-{exchange}-{some(4)}",
        f"+1{area}{exchange}{some(4)}",
        f"1-{area}-{exchange}-{some(4)}",
        f"+44 20 {some(4)} {some(4)}",
        f"+49{some(1, '123456789')}{some(9)}",
        f"0{some(1, '123456789')} {some(2)} {some(2)} {some(2)} {some(2)}",
        f"0171/{some(7)}",
        f"phone: {some(1, '123456789')}{some(9)}",
    )
    return draw(st.sampled_from(forms))


@st.composite
def keys(draw: st.DrawFn) -> str:
    """Draw a key of a service; its digits and letters are always mixed."""
    prefix, size = draw(
        st.sampled_from(
            [
                ("sk-", 48),
                ("sk-proj-", 40),
                ("ghp_", 36),
                ("hf_", 34),
                ("AIza", 35),
                ("xoxb-", 30),
                ("glpat-", 20),
                ("gsk_", 52),
            ]
        )
    )
    kinds = (string.ascii_lowercase, string.digits, string.ascii_uppercase)
    mixed = zip(*(draw(st.permutations(kind * 3)) for kind in kinds), strict=False)
    return prefix + "".join("".join(three) for three in mixed)[:size]


@st.composite
def aws_keys(draw: st.DrawFn) -> str:
    """Draw the id of an access key of AWS."""
    return "AKIA" + draw(st.text(string.ascii_uppercase + "234567", min_size=16, max_size=16))


@st.composite
def private_keys(draw: st.DrawFn) -> str:
    """Draw a private key in PEM; of random bytes, which nobody checks."""
    kind = draw(st.sampled_from(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "]))
    body = base64.b64encode(draw(st.binary(min_size=24, max_size=120))).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


@st.composite
def tokens(draw: st.DrawFn) -> str:
    """Draw a signed JSON web token."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    header = {"alg": draw(st.sampled_from(["HS256", "RS256", "EdDSA"])), "typ": "JWT"}
    claims = {"sub": draw(st.text(max_size=8)), "iat": draw(st.integers(0, 1 << 31))}
    signature = draw(st.binary(min_size=32, max_size=64))
    return ".".join(
        (
            part(json.dumps(header, separators=(",", ":")).encode()),
            part(json.dumps(claims).encode()),
            part(signature),
        )
    )


VALID: dict[str, Callable[[], st.SearchStrategy[str]]] = {
    "card": cards,
    "iban": ibans,
    "us_ssn": ssns,
    "api_key": lambda: keys() | aws_keys(),
    "email": emails,
    "phone": phones,
    "ip": ips,
    "private_key": private_keys,
    "jwt": tokens,
}
