-- Every epoch: when, who, what in words (a JSON list), and a digest of all that was in force then.
CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, changes TEXT NOT NULL, digest TEXT NOT NULL
) STRICT;

-- What was known beside the documents as of the last epoch: who had registered, who was not well, …
CREATE TABLE known (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL) STRICT;

-- What an epoch did to each document; NULL: there was none, or is none.
CREATE TABLE revisions (
    epoch INTEGER NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    before TEXT, after TEXT,
    PRIMARY KEY (epoch, kind, namespace, name)
) STRICT, WITHOUT ROWID;

-- The documents in force, in order; `version` is the epoch that changed each last.
CREATE TABLE documents (
    place INTEGER PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    origin TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, namespace, name)
) STRICT;

-- What was said over the API of documents (NULL: that there is to be none), over which text of the files.
CREATE TABLE said (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body TEXT, over_file TEXT,
    PRIMARY KEY (kind, namespace, name)
) STRICT, WITHOUT ROWID;

-- Who may write from elsewhere; of a token only its hash is kept.
CREATE TABLE tokens (
    name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, made TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which of several control planes leads, and until when.
CREATE TABLE lease (
    one INTEGER PRIMARY KEY CHECK (one = 1), holder TEXT NOT NULL, url TEXT NOT NULL, until REAL NOT NULL
) STRICT;
