-- The tables of one store. They live in a schema of their own, which is the only one searched.
-- Names are compared byte by byte, so that no index depends on the libraries of the system.

CREATE TABLE identity (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    schema_version BIGINT NOT NULL,
    issuer TEXT NOT NULL,
    lineage TEXT NOT NULL,
    horizon DOUBLE PRECISION NOT NULL,
    longest_token BIGINT NOT NULL,
    longest_session BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    genesis BYTEA NOT NULL,
    pruned BIGINT NOT NULL,
    time DOUBLE PRECISION NOT NULL,
    keys_version BIGINT NOT NULL,
    ring TEXT NOT NULL,
    jwks TEXT NOT NULL,
    incarnation TEXT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE log (
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    tag BYTEA NOT NULL UNIQUE,
    issuer TEXT NOT NULL,
    kind TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    reason TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    expires_at BIGINT,
    id TEXT,
    actor TEXT,
    lifts TEXT NOT NULL,
    proof BYTEA NOT NULL,
    PRIMARY KEY (epoch, seq)
);
CREATE INDEX log_by_fingerprint ON log (fingerprint);
CREATE INDEX log_by_expiry ON log (expires_at);

CREATE TABLE sessions (
    sid TEXT COLLATE "C" PRIMARY KEY,
    family BYTEA NOT NULL UNIQUE,
    subject TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    since_epoch BIGINT NOT NULL,
    since_seq BIGINT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    last_seen DOUBLE PRECISION NOT NULL,
    idle_ttl DOUBLE PRECISION NOT NULL,
    ends_at DOUBLE PRECISION NOT NULL,
    scope TEXT NOT NULL,
    claims TEXT NOT NULL,
    device TEXT,
    auth_time DOUBLE PRECISION,
    jkt TEXT,
    generation BIGINT NOT NULL,
    handle_key TEXT NOT NULL,
    rotated_at DOUBLE PRECISION,
    confirmed BIGINT NOT NULL,
    as_of_epoch BIGINT NOT NULL,
    as_of_seq BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX sessions_by_subject ON sessions (subject, sid);
CREATE INDEX sessions_by_client ON sessions (client_id, sid);
CREATE INDEX sessions_by_end ON sessions (ends_at);

CREATE TABLE leases (
    id TEXT COLLATE "C" PRIMARY KEY,
    epoch BIGINT,
    seq BIGINT,
    tag BYTEA,
    max_staleness DOUBLE PRECISION NOT NULL,
    label TEXT NOT NULL,
    beat BIGINT NOT NULL,
    highest_epoch BIGINT NOT NULL,
    highest_seq BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE offers (
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    tag BYTEA PRIMARY KEY,
    issuer TEXT NOT NULL,
    kind TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    reason TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    expires_at BIGINT,
    id TEXT,
    actor TEXT,
    lifts TEXT NOT NULL,
    proof BYTEA NOT NULL
);
