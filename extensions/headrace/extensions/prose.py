"""What a request says, collected text by text while its body is read."""

import msgspec
from xxhash import xxh3_64_intdigest

from headrace.extensions.shapes import (
    MEDIA,
    Item,
    Items,
    Message,
    Part,
    Parts,
    Prompt,
    packed_ids,
)
from headrace.extensions.texts.asked import ITEM_RAWS, MESSAGE_RAWS
from headrace.extensions.texts.layout import At, Reader, Rule, decoded, read
from headrace.extensions.texts.names import ROLES


class Text(msgspec.Struct, frozen=True):
    """One piece of readable prompt text and who says it (``user``, ``system``, ``tool``, ...)."""

    role: str
    text: str

    def __repr__(self) -> str:
        return f"Text({self.role}, {len(self.text)} characters)"


class Media(msgspec.Struct, frozen=True):
    """An image, a sound or a file: before which of the texts it stands, and its digest."""

    at: int
    digest: int


class Prose:
    """Collects the texts of one body; lives as long as one call of `parse_call`."""

    __slots__ = ("ids", "media", "size", "texts", "token_ids")

    def __init__(self, ids: bytes = b"") -> None:
        self.texts: list[Text] = []
        self.size = 0
        self.token_ids = ids.count(b",") + 1 if ids else 0
        self.ids = ids
        self.media: list[Media] = []

    def add(self, role: str, text: str) -> None:
        """Take one text."""
        self.texts.append(Text(role, text))
        self.size += len(text) if text.isascii() else len(text.encode())

    def add_raw(self, rule: Rule, raw: msgspec.Raw, role: str = "user") -> None:
        """Take the texts of a value that is read by *rule*.

        Raises:
            Unreadable: it is malformed after all: the first decoder passed it by.
        """
        if raw:
            for found in read(rule, decoded(raw), False, At(role)):
                self.add(found.at.role, found.text)

    def add_found(self, reader: Reader) -> None:
        """Take all that *reader* has read."""
        for found in reader.found:
            self.add(found.at.role, found.text)
        for at, value in reader.blobs:
            self.media.append(Media(at, xxh3_64_intdigest(msgspec.json.encode(value))))

    def add_items(self, items: Items) -> None:
        """Take the texts and the media of each message."""
        for item in items:
            if isinstance(item, str):
                self.add("user", item)
            elif isinstance(item, Message):
                if item.role not in ROLES:
                    self.add(item.role, item.role)
                self._add_parts(item.role, item.content)
                if item.text is not None:
                    self.add(item.role, item.text)
                for name, rule in MESSAGE_RAWS.items():
                    raw: msgspec.Raw = getattr(item, name)
                    if raw:
                        self.add_raw(rule, raw, item.role)
            else:
                self._add_item(item)

    def _add_item(self, item: Item) -> None:
        role = item.role or ("assistant" if item.type == "reasoning" else "user")
        if role not in ROLES:
            self.add(role, role)
        self._add_parts(role, item.content)
        if item.text is not None:
            self.add(role, item.text)
        for name, rule in ITEM_RAWS.items():
            raw: msgspec.Raw = getattr(item, name)
            if raw:
                self.add_raw(rule, raw, role)

    def _add_parts(self, role: str, content: str | Parts | None) -> None:
        if isinstance(content, str):
            self.add(role, content)
            return
        for part in content or ():
            if isinstance(part, str):
                self.add(role, part)
            else:
                self._add_part(role, part)

    def _add_part(self, role: str, part: Part) -> None:
        if part.text is not None:
            self.add(role, part.text)
        if part.refusal is not None:
            self.add(role, part.refusal)
        if part.thinking is not None:
            self.add("assistant", part.thinking)
        # Megabytes take a fraction of a millisecond to digest.
        for name in MEDIA:
            raw: msgspec.Raw = getattr(part, name)
            if raw:
                digest = xxh3_64_intdigest(name.encode() + bytes(raw))
                self.media.append(Media(len(self.texts), digest))

    def add_prompt(self, prompt: Prompt | None) -> None:
        """Take a prompt: a text, texts, or token ids."""
        if isinstance(prompt, str):
            self.add("user", prompt)
            return
        numbers: list[int] = []
        for piece in prompt or ():
            if isinstance(piece, int):
                numbers.append(piece)
            elif isinstance(piece, str):
                self.add("user", piece)
            else:
                numbers += piece
        if numbers:
            self.token_ids = len(numbers)
            self.ids = packed_ids(numbers)
