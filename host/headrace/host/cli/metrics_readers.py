"""Who may read the operator endpoint, by the flags of `headrace serve`."""

from typing import TYPE_CHECKING

from headrace.host.cli.flags import Mistakes, reason
from headrace.host.cli.serve_flags import ServeFlags

if TYPE_CHECKING:
    from headrace.host.cluster.api import Api
    from headrace.host.telemetry.readers import Readers

FILE, REVIEW = "--metrics-token-file", "--metrics-review"


def readers(given: ServeFlags, api: "Api | None", mistakes: Mistakes) -> "Readers | None":
    """Return who may read, None for everybody; note what cannot be obeyed."""
    from headrace.host.telemetry.readers import Reviewed, TokenFile

    file, reviewed = given.metrics_token_file, given.metrics_review
    if file is not None and reviewed:
        mistakes.add(f"{FILE}, {REVIEW}: give one of them")
    elif file is not None:
        try:
            if not file.read_bytes().strip():
                mistakes.add(f"{FILE}: `{file}` is empty: write a token into it")
        except OSError as error:
            mistakes.add(f"{FILE}: cannot read `{file}`: {reason(error)}")
        return TokenFile(file)
    elif reviewed and not given.kube:
        mistakes.add(f"{REVIEW}: it has no effect without --kube: add it")
    elif reviewed and api is not None:
        from headrace.host.cluster.reviews import Reviewer

        return Reviewed(Reviewer(api))
    return None
