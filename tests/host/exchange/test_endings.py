"""How an exchange ends: once, told to every filter, and by what the client really got."""

from headrace.extensions.stage import (
    Action,
    Request,
)
from headrace.host.exchange.reply import (
    Cancel,
)
from tests.host.exchange.drive import Drive
from tests.host.exchange.stages import Script, ask_twice


def test_an_end_while_a_hook_waits_leaves_the_hook_and_tells_the_filter() -> None:
    left: list[str] = []

    async def wait(request: Request) -> Action:
        try:
            return await ask_twice(request)
        finally:
            left.append("left")

    stage = Script(request=wait)
    drive = Drive((stage,))
    drive.head()
    drive.chunk(b"{}", end=True)

    assert drive.exchange.end("client-gone", drive.now_s) == [Cancel(1)]
    assert left == ["left"]
    assert stage.log[-1] == ("over", "client-gone")


def test_the_end_is_told_once() -> None:
    stage = Script()
    drive = Drive((stage,))
    drive.head(end=True)
    drive.exchange.end("complete", drive.now_s)
    drive.exchange.end("complete", drive.now_s)

    assert [call for call in stage.log if call[0] == "over"] == [("over", "client-gone")]


def test_a_filter_that_fails_at_the_end_does_not_keep_the_others_from_it() -> None:
    class Broken(list[object]):
        def append(self, item: object, /) -> None:
            if isinstance(item, tuple) and "over" in item:
                raise ValueError("broken")

    second = Script("second")
    drive = Drive((Script("first", log=Broken()), second))  # type: ignore[arg-type]
    drive.head(end=True)
    drive.exchange.end("complete", drive.now_s)

    assert second.log[-1][0] == "over"
    assert drive.exchange.outcome is not None
