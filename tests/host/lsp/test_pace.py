"""An edit of a long policy is answered before the next key: only its block is read anew."""

import re
from pathlib import Path

from tests.host.lsp.editor import editing

ROOT = Path(__file__).parents[3]
QUICKSTART = (ROOT / "policies" / "quickstart.sched").read_text()
NAMES = re.compile(
    r"(?<![\w.\"-])(gemma-new|gemma|chatbot|english-bot|spanish-bot|nightly|alive|has_room|prefix"
    r"|kv_free|short_queue|lora_ready|adapters|secrets)(?=[ ,\n])(?! up to)"
)
LINES = 500
# The promise is 50 ms on an idle core. The tests share two cores with everything else here, so
# the best of many edits is compared, with slack for a slower machine.
EDITS, BEST_S = 12, 0.400


def long_policy() -> str:
    """Return a clean policy of LINES lines or a few more: the quickstart again and again."""
    body = QUICKSTART.partition("\n")[2].partition("# ── who acts")[0]
    body = re.sub(r"profile default", "profile usual", body).replace(
        "extends default", "extends usual"
    )
    copies: list[str] = ["sched 1\n"]
    for i in range(20):
        if "".join(copies).count("\n") >= LINES:
            break
        named = NAMES.sub(lambda found, i=i: f"{found[1]}{i}", body)
        own = {":180": f":{181 + i}", "95%": f"{95 - i}%", "80%": f"{80 - i}%", "128": f"{128 + i}"}
        own |= {"usual": f"usual{i}", '"batch"': f'"batch{i}"', "5.0": f"{5 + i}.0"}
        for shared, distinct in own.items():
            named = named.replace(shared, distinct)
        copies.append(named)
    return "".join(copies)


def test_an_edit_of_a_long_policy_is_answered_at_once(tmp_path: Path) -> None:
    text = long_policy()
    line = next(i for i, row in enumerate(text.split("\n")) if row.startswith("filter alive3"))
    assert text.count("\n") >= LINES

    with editing(tmp_path) as editor:
        errors = [d for d in editor.open("long.sched", text) if str(d.code) < "S3"]
        took_s = [editor.timed("long.sched", line, len("filter "), "x") for _ in range(EDITS)]

    assert not errors
    assert min(took_s) < BEST_S, f"{min(took_s) * 1000:.0f} ms"
