"""A span of one request that somebody asks about: with what it answered, and what the mesh said of it."""

from dataclasses import dataclass

from rootcause.load.spans import Span


@dataclass(frozen=True, slots=True)
class TracedSpan:
    """A span, the status it answered (HTTP or gRPC, empty when none), and the mesh's reason if the mesh had one.

    `rule`: of a policy that denied the request, or that came nearest to allowing it and `missed` something; or the
    limit that was in its way.
    """

    span: Span
    status: str = ""
    reason: str = ""
    rule: str = ""
    missed: str = ""

    @property
    def bad(self) -> bool:
        """Also what the mesh refused by rule: to whoever asks about a 403 it is what went wrong."""
        return self.span.failed or bool(self.reason)
