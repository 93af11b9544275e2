-- What hosts are sent, and what they say.

-- manifest: base64 of the signed bytes. plan: hash of all that it says but version and times.
CREATE TABLE manifests (
    host_id            TEXT NOT NULL REFERENCES hosts (id),
    version            BIGINT NOT NULL,
    manifest           TEXT NOT NULL,
    plan               TEXT NOT NULL,
    fast_lane_sequence BIGINT NOT NULL,
    issued_at          BIGINT NOT NULL,
    expires_at         BIGINT NOT NULL,
    PRIMARY KEY (host_id, version)
);

-- content: base64 of the bytes as they travel, which hash names. plain: kind and hash of what is
-- inside, so that what has not changed is not sealed anew. version: the newest manifest with it.
CREATE TABLE chunks (
    host_id TEXT NOT NULL REFERENCES hosts (id),
    hash    TEXT NOT NULL,
    plain   TEXT NOT NULL,
    length  BIGINT NOT NULL,
    content TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (host_id, hash)
);

-- action: JSON, written in the transaction that suspends; message: base64 once it is signed.
CREATE TABLE fast_lane (
    sequence   BIGINT PRIMARY KEY,
    verb       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    message    TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE acknowledgements (
    host_id            TEXT NOT NULL REFERENCES hosts (id),
    bundle_version     BIGINT NOT NULL,
    fast_lane_sequence BIGINT NOT NULL,
    received_at        BIGINT NOT NULL,
    host_time_ms       BIGINT NOT NULL,
    latency_ms         BIGINT,
    ended              TEXT NOT NULL,
    refused            TEXT,
    PRIMARY KEY (host_id, bundle_version, fast_lane_sequence)
);

-- Where each event of a host stands in the directory's chain.
CREATE TABLE host_events (
    host_id  TEXT NOT NULL REFERENCES hosts (id),
    boot     TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    seq      BIGINT NOT NULL REFERENCES events (seq),
    hash     TEXT NOT NULL,
    PRIMARY KEY (host_id, boot, sequence)
);
