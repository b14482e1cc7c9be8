"""Keys and tokens of services: by what they begin with, or by the name before and their look."""

import re
import string
from dataclasses import dataclass

from headrace.extensions.safety.detectors.detector import Detector, is_word, run_end
from headrace.extensions.safety.detectors.entropy import looks_random
from headrace.extensions.safety.shape import any_word, chars, either, maybe, then, word

KEY_CHARS_MAX = 2048  # access tokens of Google
VALUE_CHARS_MIN, VALUE_CHARS_MAX = 16, 256
_BASE62 = (string.ascii_letters + string.digits).encode()
_URL = _BASE62 + b"_-"
_HEX = b"0123456789abcdef"
_VALUE = _URL + b"+/=.~"
_VALUES = frozenset(bytes((byte,)) for byte in _VALUE)


@dataclass(frozen=True, slots=True)
class Form:
    """What the keys of a service look like: *least* to *most* of *kind* after their beginning.

    random  the beginning is in use for other things too, so what follows must look random
    """

    kind: bytes
    least: int
    most: int = KEY_CHARS_MAX
    random: bool = False


def _each(pattern: str, kinds: str, form: Form) -> dict[str, Form]:
    return {pattern.format(kind): form for kind in kinds.split()}


# Source: what each service documents, and the secret scanning patterns of GitHub and GitLab.
FORMS: dict[str, Form] = {
    "sk-": Form(_URL, 20, random=True),  # OpenAI, Anthropic, OpenRouter, DeepSeek
    **_each("gh{}_", "p o u s r", Form(_BASE62, 36)),  # GitHub
    "github_pat_": Form(_BASE62 + b"_", 82),
    **_each("gl{}-", "pat dt rt ft soat ptt", Form(_URL + b".", 20)),  # GitLab
    **_each("{}", "AKIA ASIA ABIA ACCA", Form(_BASE62, 16, 16)),  # AWS
    **_each("xox{}-", "a b e o p r s", Form(_BASE62 + b"-", 10)),  # Slack
    "xapp-": Form(_BASE62 + b"-", 20),
    "hooks.slack.com/services/": Form(_BASE62 + b"/", 40),
    "AIza": Form(_URL, 35, 35),  # Google
    "GOCSPX-": Form(_URL, 28, 28),
    "ya29.": Form(_URL + b".", 20),
    "hf_": Form(_BASE62, 30, random=True),  # Hugging Face
    **_each("{}_live_", "sk rk", Form(_BASE62, 16)),  # Stripe
    **_each("{}_test_", "sk rk", Form(_BASE62, 16)),
    "whsec_": Form(_BASE62 + b"+/=", 24),
    "SG.": Form(_URL + b".", 50),  # SendGrid
    "SK": Form(_HEX, 32, 32),  # Twilio
    "npm_": Form(_BASE62, 36, 36),
    "pypi-": Form(_URL, 50),
    **_each("do{}_v1_", "o p r", Form(_HEX, 64, 64)),  # DigitalOcean
    **_each("shp{}_", "at ca pa ss", Form(_BASE62, 32, 32)),  # Shopify
    "dapi": Form(_HEX, 32, 32),  # Databricks
    "hvs.": Form(_URL, 24),  # Vault
    "gsk_": Form(_BASE62, 40),  # Groq
    "xai-": Form(_BASE62, 40),
    "pplx-": Form(_BASE62, 40),
    "nvapi-": Form(_URL, 40),
    "r8_": Form(_BASE62, 30, random=True),  # Replicate
    "key-": Form(_HEX, 32, 32),  # Mailgun
    "glsa_": Form(_BASE62 + b"_", 40),  # Grafana
    "lin_api_": Form(_BASE62, 32),  # Linear
    "ntn_": Form(_BASE62, 40),  # Notion
    "ATATT3": Form(_URL + b"=", 100),  # Atlassian
    "AGE-SECRET-KEY-1": Form(_BASE62, 58, 58),
    ":AA": Form(_URL, 33, 33),  # Telegram, behind the number of the bot
}
_SHORTEST = 8  # of what follows: enough to be rare
_PREFIX = re.compile("|".join(re.escape(one) for one in sorted(FORMS, reverse=True)).encode())
_SERVICES = then(
    either(*(word(prefix) for prefix in FORMS)), chars("[0-9A-Za-z_.=/+\\-]", _SHORTEST, _SHORTEST)
)
_NAME = either(
    any_word("secret token password passwd passphrase credential bearer authorization"),
    then(
        any_word("api access account auth private client"), chars("[ _\\-]", 0, 1), any_word("key")
    ),
)
_CLASS = "[0-9A-Za-z+/_=.~\\-]"
_NAMED = then(
    _NAME,
    chars("[0-9A-Za-z_\\-]", 0, 12),
    maybe(chars("[\"'`]", 1, 1)),
    chars("[ :=>]", 1, 4),
    maybe(any_word("bearer basic")),
    chars("[ \"'`]", 0, 2),
    chars(_CLASS, VALUE_CHARS_MIN, VALUE_CHARS_MIN),
)

# What of a candidate is not the value: the longest beginning of the same form.
_HEAD = re.compile(
    rb"(?i:secret|token|pass(?:word|wd|phrase)|credential|bearer|authorization"
    rb"|(?:api|access|account|auth|private|client)[ _\-]?key)"
    rb"[0-9A-Za-z_\-]{0,12}[\"'`]?[ :=>]{1,4}(?i:bearer|basic)?[ \"'`]{0,2}"
)


def _check(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    place = _PREFIX.match(data, start)
    assert place is not None, "every shape begins with one of the prefixes"
    form, body = FORMS[place[0].decode()], place.end()
    before = data[start - 1 : start]
    # Where beginnings can follow each other without end, only the first counts.
    is_inside = before != b"" and before in form.kind and not place[0].strip(form.kind)
    if is_inside or (place[0] != b":AA" and is_word(before)):
        return start + 1
    end = run_end(data, body, form.kind, form.most + 1)
    while data[end - 1 : end] in (b"-", b".", b"/"):
        end -= 1
    fits = form.least <= end - body <= form.most and not is_word(data[end : end + 1])
    if fits and (not form.random or looks_random(data[body:end])):
        return start, end
    return start + 1


def _check_named(data: bytes, start: int, end: int) -> tuple[int, int] | int:
    place = _HEAD.match(data, start, end)
    begin = place.end() if place is not None else end
    end = run_end(data, begin, _VALUE, VALUE_CHARS_MAX)
    is_cut = data[end : end + 1] in _VALUES
    value = data[begin:end].rstrip(b".")
    return (begin, begin + len(value)) if looks_random(value) and not is_cut else start + 1


API_KEY = Detector("api_key", _SERVICES, _check, KEY_CHARS_MAX + 32, edge="", after=f"{_CLASS}*")
NAMED_KEY = Detector(
    "api_key", _NAMED, _check_named, VALUE_CHARS_MAX + 64, edge="", after=f"{_CLASS}*"
)
