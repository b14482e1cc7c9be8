"""Google's Model Armor: filters chosen by templates, which belong to models.

Source: google.cloud.modelarmor.v1, its REST API. What its answers mean: `model_armor_answer`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import Struct
from xxhash import xxh3_64_hexdigest

from headrace.dsl.guarding import Guard, OnMatch
from headrace.extensions.safety.contract import (
    Asked,
    Direction,
    Hit,
    Http,
    Judged,
    Judging,
    Kind,
    Provider,
    Reach,
    Rpc,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.providers.asking import (
    Caller,
    ProviderFault,
    Replied,
    ask_all,
    caller,
    combined,
    provision_of,
    read,
    word,
)
from headrace.extensions.safety.providers.model_armor_answer import Answer, judge, shifted
from headrace.extensions.safety.providers.settings import Settings

# Its filters read 10,000 tokens of a call: this is two characters a token. Text that has more
# tokens comes back as partly read, which is for the policy to decide.
CHARS_MAX = 20_000
REACH = Reach(chars_max=CHARS_MAX, texts_max=64, locates=True)
PROMPT_CHARS_MAX = 4_000  # of the prompt that goes beside a response
JOINT = "\n\n"
TEMPLATE = re.compile(r"projects/[^/\s]+/locations/([a-z0-9-]+)/templates/[^/\s]+")
METHODS = {Direction.PROMPT: "sanitizeUserPrompt", Direction.RESPONSE: "sanitizeModelResponse"}
TRANSPORTS = ("rest", "grpc")
REALTIME = "STREAMING_MODE_REALTIME"  # each piece is judged when it comes, not when there are more


class Pack(Struct, frozen=True):
    """Texts that are sent in one call, joined: those of a question from *first* on."""

    first: int
    texts: tuple[str, ...]

    @property
    def joined(self) -> str:
        return JOINT.join(self.texts)


def packed(texts: Sequence[str], chars_max: int = CHARS_MAX) -> list[Pack]:
    """Return *texts* in as few packs as hold at most *chars_max* characters each.

    What stands in several messages is so seen together, and a call pays for all of them.
    """
    packs: list[Pack] = []
    first, held, size = 0, list[str](), 0
    for at, text in enumerate(texts):
        if held and size + len(JOINT) + len(text) > chars_max:
            packs.append(Pack(first, tuple(held)))
            first, held, size = at, [], 0
        size += len(text) + (len(JOINT) if held else 0)
        held.append(text)
    if held:
        packs.append(Pack(first, tuple(held)))
    return packs


@dataclass(frozen=True, slots=True)
class ModelArmor:
    """Asks Model Armor by the template of the model that the exchange is about.

    prompts, responses  model -> template; "" for models that have none
    regional  each template has its own server, by its location
    apart     what is found must be told apart by text, as texts will be changed
    """

    http: Caller
    prompts: Mapping[str, str]
    responses: Mapping[str, str]
    regional: bool = True
    apart: bool = False
    grpc: bool = False
    name: str = "model_armor"
    reach: Reach = REACH

    def screen(self, asked: Asked) -> Judging:
        """Return what the filters of the model's template say of *asked*.

        A model without a template is trouble, not clear: its name is the client's choice.
        """
        if not asked.texts:
            return Verdict()
        of_prompt = asked.direction is Direction.PROMPT
        templates = self.prompts if of_prompt else self.responses
        template = templates.get(asked.context.model) or templates.get("")
        if template is None:
            model = word(asked.context.model)
            why = f"no template for the model `{model}`, and none for all the others"
            return Trouble(Kind.DECLINED, why)
        return self._screen(asked, template)

    async def _screen(self, asked: Asked, template: str) -> Judged:
        packs = packed([text.text for text in asked.texts])
        judged = await self._judged(asked, template, packs)
        parts: list[Judged] = []
        for pack, part in zip(packs, judged, strict=True):
            if len(pack.texts) == 1:
                parts.append(shifted(part, pack.first))
            elif isinstance(part, Verdict) and part.hits:
                parts.append(await self._apart(asked, template, pack, part))
            else:
                parts.append(part)
        return combined(parts)

    async def _apart(self, asked: Asked, template: str, pack: Pack, found: Verdict) -> Judged:
        """Return what was *found* in a pack, by text if that matters.

        What is found in none of the texts alone is in how they follow each other.
        """
        together = Verdict(
            tuple(Hit(what) for what in dict.fromkeys(hit.what for hit in found.hits)),
            partial=found.partial,
            code=found.code,
            message=found.message,
        )
        if not self.apart:
            return together
        alone = [Pack(pack.first + at, (text,)) for at, text in enumerate(pack.texts)]
        judged = await self._judged(asked, template, alone)
        verdict = combined(
            [shifted(part, one.first) for part, one in zip(judged, alone, strict=True)]
        )
        return verdict if isinstance(verdict, Trouble) or verdict.hits else together

    async def _judged(self, asked: Asked, template: str, packs: Sequence[Pack]) -> list[Judged]:
        calls = [self._call(asked, template, pack.joined) for pack in packs]
        replies = await ask_all(calls)
        return [_read(reply, pack.joined) for reply, pack in zip(replies, packs, strict=True)]

    def _call(self, asked: Asked, template: str, text: str) -> Http | Rpc:
        method, http = METHODS[asked.direction], self.http
        if self.regional:
            http = replace(http, base=endpoint(template))
        if not self.grpc:
            return http.post(f"/v1/{template}:{method}", _body(asked, text))
        body: dict[str, object] = {"name": template, **_body(asked, text)}
        name, stream = method[0].upper() + method[1:], ""
        if asked.streamed and asked.context.exchange_id:
            name, stream = f"Stream{name}", _stream(asked)
            body["streamingMode"] = REALTIME
        return Rpc(http.post("", body), name, stream)


def model_armor(guard: Guard) -> Provider:
    """Return the provider that asks Model Armor by the templates that *guard* names.

    Raises:
        ProviderFault: there is no template, or one that is none.
    """
    settings, provision = Settings(guard), provision_of(guard)
    prompts = _templates(guard, settings.by_subject("template"))
    responses = {**prompts, **_templates(guard, settings.by_subject("response_template"))}
    if not responses:
        raise ProviderFault(guard, '`template` is missing, add `template "projects/..."`')
    transport = settings.text("transport", "rest")
    if transport not in TRANSPORTS:
        raise ProviderFault(guard, f"`transport` is `rest` or `grpc`, not `{transport}`")
    http = caller(guard, "https://", bearer=True)
    signed = "authorization" in {header.lower() for header in provision.secrets}
    # A token of Google's goes over TLS only: a server without it is a local one.
    http = replace(http, google=http.base.startswith("https:") and not signed)
    return ModelArmor(
        http,
        prompts,
        responses,
        regional=not provision.url,
        apart=guard.on_match not in (OnMatch.BLOCK, OnMatch.LOG),
        grpc=transport == "grpc",
    )


def endpoint(template: str) -> str:
    """Return the server of the location of *template*: the global one does not serve it."""
    match = TEMPLATE.fullmatch(template)
    assert match is not None, "checked when the provider was made"
    return f"https://modelarmor.{match[1]}.rep.googleapis.com"


def _templates(guard: Guard, named: Mapping[str, str]) -> dict[str, str]:
    for template in named.values():
        if not TEMPLATE.fullmatch(template):
            shape = "projects/PROJECT/locations/LOCATION/templates/TEMPLATE"
            raise ProviderFault(guard, f"`{template}` is no template, write `{shape}`")
    return dict(named)


def _body(asked: Asked, text: str) -> dict[str, object]:
    if asked.direction is Direction.PROMPT:
        return {"userPromptData": {"text": text}}
    body: dict[str, object] = {"modelResponseData": {"text": text}}
    question = _question(asked)
    return {**body, "userPrompt": question} if question else body


def _question(asked: Asked) -> str:
    """Return the end of what the user said last."""
    said = [text.text for text in asked.context.conversation if text.role == "user"]
    return said[-1][-PROMPT_CHARS_MAX:] if said else ""


def _stream(asked: Asked) -> str:
    """Return the name of the stream of an exchange.

    The exchange's own may come from the client, who must not get into the stream of another.
    """
    digest = xxh3_64_hexdigest(_question(asked).encode("utf-8", "replace"))
    return f"{asked.context.exchange_id} {asked.direction.value} {digest}"


def _read(reply: Replied, text: str) -> Judged:
    answer = read(reply, Answer)
    return answer if isinstance(answer, Trouble) else judge(answer, text)
