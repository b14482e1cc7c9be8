"""What one event of a stream adds to which text."""

from headrace.extensions.apis import Api
from headrace.extensions.texts.answer import MODEL
from headrace.extensions.texts.layout import read, single
from headrace.extensions.texts.told import EVENTS
from headrace.extensions.texts.values import Channel, Piece, Unreadable
from headrace.extensions.values import DONE


def pieces(api: Api, data: bytes) -> tuple[Piece, ...]:
    """Return the texts in *data*, the data of one event of a stream of *api*, none of them empty.

    An event without data and the end mark have none. Whoever holds back or changes a piece
    must take out what repeats it elsewhere in the event: see `copies`.

    Raises:
        Unreadable: the event is no JSON, has a name twice in an object or token ids for a text, or
            the API has no streams.
    """
    if not data or data == DONE:
        return ()
    rule = EVENTS.get(api)
    if rule is None:
        raise Unreadable(f"nothing is known of streams of `{api.value}`")
    return tuple(
        [
            Piece(Channel(f.said, f.at.choice, f.at.item, f.field), f.text, f.path, f.at.repeats)
            for f in read(rule, single(data), True, MODEL)
            if f.text
        ]
    )
