-- What an authority knows. Times are seconds since 1970; certificates are DER, keys PKCS#8, sealed when there is a salt.
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;

CREATE TABLE IF NOT EXISTS signers (
    id INTEGER PRIMARY KEY,
    root INTEGER REFERENCES signers,     -- of an issuer; a root has none
    certificate BLOB NOT NULL,
    key BLOB,                            -- none: it is kept elsewhere
    state TEXT NOT NULL,                 -- next, active, old, retired, gone
    since REAL NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS issued (
    serial TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,           -- SHA-256 of the certificate
    proxy TEXT NOT NULL,
    uri TEXT NOT NULL,
    root INTEGER NOT NULL REFERENCES signers,
    issuer INTEGER REFERENCES signers,   -- which signed it
    issued REAL NOT NULL,
    ends REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS issued_by_proxy ON issued (proxy, uri, issued);
CREATE INDEX IF NOT EXISTS issued_by_issuer ON issued (issuer, ends);
CREATE UNIQUE INDEX IF NOT EXISTS issued_by_fingerprint ON issued (fingerprint);

CREATE TABLE IF NOT EXISTS passes (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,                  -- token: once; node: as often as needed
    digest BLOB NOT NULL,
    proxies TEXT NOT NULL,               -- a JSON list, or * for every proxy
    ends REAL,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE IF NOT EXISTS used (
    pass TEXT NOT NULL REFERENCES passes,
    proxy TEXT NOT NULL,
    uri TEXT NOT NULL,
    key BLOB NOT NULL,                   -- whose request it was; that one may ask again
    PRIMARY KEY (pass, proxy, uri)
) STRICT;

CREATE TABLE IF NOT EXISTS denied (
    serial TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    since REAL NOT NULL,
    ends REAL NOT NULL                   -- when the certificate ends anyway
) STRICT;

CREATE TABLE IF NOT EXISTS lists (
    issuer INTEGER PRIMARY KEY REFERENCES signers,
    crl BLOB NOT NULL                    -- DER, the last one that it signed
) STRICT;
