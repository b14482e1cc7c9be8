"""What operators see of the policies of a host, and what they may ask: the pages' `Policies`."""

from collections.abc import Sequence
from time import monotonic

from headrace.host.serve.history import Reign, UnknownPolicy
from headrace.host.serve.reload import Reloader
from headrace.host.serve.soak import SoakReport
from headrace.host.serve.succession import Unservable
from headrace.host.telemetry.policy_pages import Page, PolicyRefused

ENVOY_CURE = "write it again with `headrace envoy-config`, and restart or reload Envoy"


class PolicyDesk:
    """Tells of one reloader, and takes what operators ask of it."""

    def __init__(self, reloader: Reloader) -> None:
        self._reloader = reloader

    def page(self) -> Page:
        """Return what `/policy` shows, as JSON. Times are Unix seconds."""
        reloader = self._reloader
        current = reloader.succession.current
        kept, refusal, soak = reloader.history.kept, reloader.refusal, reloader.succession.soak
        reloading = reloader.reloading
        return {
            **_reign(reloader.reign),
            "valid": refusal is None,
            "error": refusal and {"at_s": refusal.at_s, "problems": refusal.problems},
            "pending": {"state": reloader.phase} if reloader.phase else None,
            "soak": soak and _soak(soak, running=current.shadow is not None),
            "previous": _reign(kept[-1]) if kept else None,
            "draining": [
                {
                    "digest": old.program.digest,
                    "generation": old.number,
                    "exchanges": old.tenants.count,
                }
                for old in current.older
            ],
            "envoy_lacks": list(reloader.envoy_notes),
            "envoy_cure": ENVOY_CURE if reloader.envoy_notes else "",
            "watched": {"paths": list(reloading.paths), "interval_s": reloading.interval_s},
        }

    def kept(self) -> Sequence[Page]:
        """Return the policies that one can go back to, newest first."""
        return [_reign(reign) for reign in reversed(self._reloader.history.kept)]

    async def roll_back(self, digest: str) -> Page:
        """Let the policy whose digest begins with *digest* serve; empty: the one before.

        Raises:
            PolicyRefused: it cannot be done; nothing has changed.
        """
        try:
            return _reign(await self._reloader.rollback(digest))
        except UnknownPolicy as error:
            raise PolicyRefused(str(error), 404) from error
        except Unservable as error:
            raise PolicyRefused(str(error), 409) from error

    def ask(self) -> None:
        """Look at the policy's files at once."""
        self._reloader.ask()


def _reign(reign: Reign) -> Page:
    page: Page = {
        "digest": reign.program.digest,
        "generation": reign.number,
        "sources": list(reign.sources),
        "since_s": round(reign.since_s, 3),
    }
    if reign.until_s is not None:
        page["until_s"] = round(reign.until_s, 3)
    return page


def _soak(report: SoakReport, *, running: bool) -> Page:
    gone_s = min(report.length_s, monotonic() - report.began_s)
    return {
        "running": running,
        "gone_s": round(gone_s, 3),
        "length_s": report.length_s,
        "decisions": report.decisions,
        "differing": report.differing,
        "kinds": dict(report.verdicts),
        "skipped": report.skipped,
        "examples": [
            {"kind": v.kind, "request": v.request_id, "live": v.live, "new": v.new}
            for v in report.examples
        ],
    }
