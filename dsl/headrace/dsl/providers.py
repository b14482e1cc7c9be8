"""What guards can look for and whom they can ask: data for the checks, the docs and the host.

A provider's settings are said in an `ask` block. What a provider can do decides which
guards can be kept: one that says no place cannot be redacted by.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.dsl.checks.settings import Setting, SettingKind

BOTH = frozenset({"prompt", "response"})
DETECTORS: Mapping[str, str] = {
    "card": "numbers of payment cards, their check digit right",
    "iban": "numbers of bank accounts, their check digits right",
    "us_ssn": "US social security numbers",
    "api_key": "keys and tokens of well-known services",
    "email": "e-mail addresses",
    "phone": "telephone numbers",
    "ip": "IP addresses, v4 and v6",
    "private_key": "private keys in PEM",
    "jwt": "JSON web tokens",
}
# What a body template may have between braces: each is put in as a JSON value.
BODY_VALUES: Mapping[str, str] = {
    "text": "the text; each of several is asked about on its own",
    "texts": "the texts as a list",
    "direction": "`prompt` or `response`",
    "model": "the model that was asked for",
    "role": "who says the last text",
    "id": "the request's id",
}
BODY = '{"text": {text}, "direction": {direction}}'


@dataclass(frozen=True, slots=True)
class Option(Setting):
    """A setting of a provider.

    many  whether it takes several values, or may be said several times
    of    what a `for` behind it names, ``model`` or ``category``; empty: it takes no `for`
    """

    many: bool = False
    of: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """What one provider can be told, and what it can do.

    url         where it is if the policy does not say; empty: the policy must say;
                LOCATION in it is that of the template
    readings    of ``match category text``: what may be computed from its answer
    directions  which ways it can judge
    locates     it says which characters it objects to: they can be masked, or redacted
    rewrites    it says what the text should be: that can be put in its place
    chars_max   the longest text of one call; longer ones are cut into overlapping windows
    """

    name: str
    doc: str
    options: tuple[Option, ...] = ()
    url: str = ""
    readings: frozenset[str] = frozenset()
    directions: frozenset[str] = BOTH
    locates: bool = False
    rewrites: bool = False
    chars_max: int = 100_000

    @property
    def by_name(self) -> Mapping[str, Option]:
        """The settings by name."""
        return {option.name: option for option in self.options}


_STRING, _WORD, _RATIO, _BOOL = (
    SettingKind.STRING, SettingKind.WORD, SettingKind.RATIO, SettingKind.BOOL,
)  # fmt: skip
_TEMPLATE = "the template, as `projects/P/locations/L/templates/T`; without `for`, of all models"
_ALL = (
    Schema(
        "model_armor",
        "Google Cloud Model Armor, by its regional endpoint",
        (
            Option("template", _STRING, _TEMPLATE, many=True, of="model"),
            Option("response_template", _STRING, "the same, of answers", many=True, of="model"),
            Option(
                "transport", _WORD, "how it is spoken to; `grpc` has a stream per answer", "rest",
                words=("rest", "grpc"),
            ),
        ),
        url="https://modelarmor.LOCATION.rep.googleapis.com",
        locates=True,
        rewrites=True,
        # 10,000 tokens are looked at; 2 characters a token is on the safe side in most scripts.
        chars_max=20_000,
    ),
    Schema(
        "nemo",
        "NVIDIA NeMo Guardrails, by `POST /v1/checks`",
        (
            Option("config", _STRING, "the guardrails configuration", required=True, many=True),
            Option(
                "rails", _WORD, "which rails check; else those of the direction",
                words=("input", "output"), many=True,
            ),
        ),
        rewrites=True,
    ),
    Schema(
        "llama_guard",
        "Llama Guard on a server that speaks as OpenAI's does",
        (
            Option("model", _STRING, "the model's name there", required=True),
            Option("categories", _STRING, "the hazards that count; else all", many=True),
        ),
        chars_max=30_000,
    ),
    Schema(
        "presidio",
        "Microsoft Presidio, by `POST /analyze`",
        (
            Option("language", _STRING, "the language of the texts", "en"),
            Option("entities", _STRING, "what is looked for; else all it knows", many=True),
            Option("score", _RATIO, "how sure it must be", 0.5, low=0.0, high=1.0),
            Option("anonymizer", _STRING, "the URL of its anonymizer, to say what stands instead"),
        ),
        locates=True,
        rewrites=True,
    ),
    Schema(
        "lakera",
        "Lakera Guard, by `POST /v2/guard`",
        (
            Option("project", _STRING, "whose rules count; else the account's"),
            Option("breakdown", _BOOL, "whether it tells which detector found it", True),
        ),
        url="https://api.lakera.ai",
        locates=True,
    ),
    Schema(
        "openai_moderation",
        "OpenAI's moderation, by `POST /v1/moderations`",
        (
            Option("model", _STRING, "the moderation model", "omni-moderation-latest"),
            Option(
                "above", _RATIO, "from which score on a category counts; else as it flags",
                low=0.0, high=1.0, many=True, of="category",
            ),
        ),
        url="https://api.openai.com",
    ),
    Schema(
        "guardrails_ai",
        "a Guardrails AI server, by `POST /guards/NAME/validate`",
        (
            Option("guard", _STRING, "the guard's name there", required=True),
            Option(
                "casing", _WORD, "how the server spells JSON; `camel` up to version 0.3", "snake",
                words=("snake", "camel"),
            ),
        ),
        rewrites=True,
    ),
    Schema(
        "http",
        "any server that takes JSON and answers with JSON",
        (
            Option("body", _STRING, "what is sent, with values in braces", BODY),
            Option("method", _WORD, "the method", "POST", words=("POST", "PUT")),
        ),
        readings=frozenset({"match", "category", "text"}),
        rewrites=True,
    ),
)  # fmt: skip
SCHEMAS: Mapping[str, Schema] = {schema.name: schema for schema in _ALL}
