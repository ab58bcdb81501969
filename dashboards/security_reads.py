"""What the security page asks the store: by edge how calls were protected, what policies denied, who got certificates.

In: a way to ask (`ask.rows`) and a Window. Out: rows with lower-case names.
"""

from datetime import timedelta

from dashboards.reads import Ask, Rows
from dashboards.window import Window

# Its rows are of whole minutes: that in which the window begins counts.
WITHIN = "Bucket >= toStartOfMinute(%(start)s) AND Bucket < %(end)s"

PROTECTION = f"""
SELECT Source AS source, Destination AS target, sum(Calls) AS calls,
       sumIf(Calls, Tls = 'mutual') AS encrypted, sumIf(Calls, Tls = 'plaintext') AS plaintext,
       groupUniqArrayIf(4)(Identity, Identity != '') AS identities,
       anyLastIf(Trace, Tls = 'plaintext') AS plaintext_trace
FROM otel.mesh_security
WHERE {WITHIN} AND NOT startsWith(Reason, 'tls_') AND Reason != 'plaintext_refused'
GROUP BY source, target
ORDER BY plaintext DESC, target, source"""

DENIALS = f"""
SELECT Source AS source, Destination AS target, Reason AS reason, Audit AS audit, Rule AS rule,
       sum(Calls) AS calls, max(Bucket) AS last, argMax(Missed, Bucket) AS missed, argMax(Trace, Bucket) AS trace
FROM otel.mesh_security
WHERE {WITHIN} AND (Reason != '' OR Audit != '')
GROUP BY source, target, reason, audit, rule
ORDER BY audit != '', calls DESC
LIMIT 100"""

CERTIFICATES = """
SELECT Service AS service, Instance AS proxy, toUnixTimestamp(max(Time)) AS issued, argMax(Summary, Time) AS summary,
       extract(summary, ' as (spiffe://[^ ,]+)') AS identity,
       extract(summary, 'until ([-0-9]{10} [0-9:]{8}) UTC$') AS until,
       toUnixTimestamp(parseDateTimeBestEffortOrNull(until, 'UTC')) AS ends
FROM otel.mesh_changes
WHERE Kind = 'certificate' AND Service != '' AND Time >= %(start)s
GROUP BY service, proxy
HAVING ends IS NULL OR ends > toUnixTimestamp(%(ended)s)
ORDER BY ends IS NULL, ends, service, proxy"""
"""What the authority says when it issues one (proxy/control/authority/desk.py) ends with its end."""

AUTHORITY = """
SELECT Time AS time, Summary AS summary, Actor AS actor
FROM otel.mesh_changes
WHERE Kind = 'authority' AND Time >= %(start)s
ORDER BY time DESC
LIMIT 12"""

REMEMBERED = timedelta(days=2)
LONGEST_LIFE = timedelta(days=90)
"""Certificates live for a day unless told otherwise."""


def protection(ask: Ask, window: Window) -> Rows:
    """Calls by edge: all, encrypted, in the clear where encryption was looked for; most in the clear first."""
    return ask(PROTECTION, window.bounds())


def denials(ask: Ask, window: Window) -> Rows:
    """What was turned away, then what would have been, by rule and edge."""
    return ask(DENIALS, window.bounds())


def certificates(ask: Ask, window: Window) -> Rows:
    """The last certificate that each proxy got for each service, the one that ends soonest first; those that ended
    long ago are of proxies that are gone."""
    return ask(CERTIFICATES, {"start": window.end - LONGEST_LIFE, "ended": window.end - REMEMBERED})


def authority(ask: Ask, window: Window) -> Rows:
    """Rotations, refusals and denied certificates, newest first."""
    return ask(AUTHORITY, {"start": window.end - REMEMBERED})
