"""Which of the answers in one stream are complete: only where there are several to tell apart."""

import msgspec


class Finish(msgspec.Struct):
    """How far one choice of a streamed answer is."""

    index: int = 0
    finish_reason: str | None = None


class Finishes(msgspec.Struct):
    """The choices of one event."""

    choices: list[Finish] = []


def finished(data: bytes) -> list[int]:
    """Return the choices that are complete with the event of this *data*."""
    try:
        event = msgspec.json.decode(data, type=Finishes)
    except msgspec.DecodeError:
        return []
    return [choice.index for choice in event.choices if choice.finish_reason is not None]
