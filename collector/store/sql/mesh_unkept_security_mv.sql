-- As mesh_security_mv, for what is left out by tail sampling: only kept traces become examples.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel.mesh_unkept_security_mv TO otel.mesh_security AS
WITH
    SpanAttributes['mesh.reason'] AS reason,
    startsWith(reason, 'tls_') AS unbelieved,
    unbelieved OR startsWith(reason, 'token_') OR reason IN ('not_allowed', 'policy_denied', 'plaintext_refused') AS turned_away
SELECT
    toStartOfMinute(Timestamp) AS Bucket,
    SpanAttributes['mesh.source.service'] AS Source,
    SpanAttributes['mesh.destination.service'] AS Destination,
    SpanAttributes['mesh.source.identity'] AS Identity,
    SpanAttributes['mesh.tls'] AS Tls,
    if(turned_away, reason, '') AS Reason,
    SpanAttributes['mesh.policy.audit'] AS Audit,
    SpanAttributes['mesh.policy'] AS Rule,
    count() AS Calls,
    anyLast(SpanAttributes['mesh.policy.missed']) AS Missed,
    '' AS Trace
FROM otel.mesh_unkept
WHERE SpanAttributes['mesh.destination.service'] != '' AND (SpanKind = 'Server' OR SpanKind = 'Client' AND unbelieved)
GROUP BY Bucket, Source, Destination, Identity, Tls, Reason, Audit, Rule
