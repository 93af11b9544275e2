-- The directory itself. TEXT and BIGINT only, so that the same text works on PostgreSQL.
-- Moments are milliseconds since 1970, booleans are 0 or 1, structured values are JSON text.

CREATE TABLE organisation (
    id               TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    public_url       TEXT NOT NULL,
    bootstrap_hash   TEXT,
    bootstrap_used_at BIGINT,
    created_at       BIGINT NOT NULL
);

-- Every uid and gid ever given out; rows are never removed, so no id is given out twice.
CREATE TABLE unix_ids (
    id    BIGINT PRIMARY KEY,
    owner TEXT NOT NULL,
    pinned BIGINT NOT NULL DEFAULT 0
);

-- Every name ever given out in its folded form; login names of deleted users stay.
CREATE TABLE names (
    space  TEXT NOT NULL,
    folded TEXT NOT NULL,
    owner  TEXT NOT NULL,
    PRIMARY KEY (space, folded)
);

CREATE TABLE users (
    id                   TEXT PRIMARY KEY,
    username             TEXT NOT NULL UNIQUE,
    uid                  BIGINT NOT NULL UNIQUE,
    state                TEXT NOT NULL,
    display_name         TEXT NOT NULL,
    email                TEXT NOT NULL,
    description          TEXT NOT NULL,
    home                 TEXT,
    shell                TEXT,
    labels               TEXT NOT NULL,
    expires_at           BIGINT,
    locked_until         BIGINT,
    failed_logins        BIGINT NOT NULL,
    first_failed_at      BIGINT,
    last_login_at        BIGINT,
    password_verifier    TEXT,
    password_set_at      BIGINT,
    password_must_change BIGINT NOT NULL,
    deleted_at           BIGINT,
    created_at           BIGINT NOT NULL,
    created_by           TEXT NOT NULL,
    updated_at           BIGINT NOT NULL,
    version              BIGINT NOT NULL
);

CREATE TABLE groups (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    unix        BIGINT NOT NULL,
    gid         BIGINT UNIQUE,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    updated_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL
);

CREATE TABLE group_users (
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_users_by_user ON group_users (user_id);

-- Everybody in the child is also in the parent.
CREATE TABLE group_groups (
    parent_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    child_id  TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX group_groups_by_child ON group_groups (child_id);

CREATE TABLE ssh_keys (
    id          TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id),
    kind        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    comment     TEXT NOT NULL,
    hardware    BIGINT NOT NULL,
    expires_at  BIGINT,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    UNIQUE (user_id, fingerprint)
);

CREATE TABLE projects (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    description     TEXT NOT NULL,
    trust_host_tags BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    created_by      TEXT NOT NULL,
    updated_at      BIGINT NOT NULL,
    version         BIGINT NOT NULL
);

CREATE TABLE hosts (
    id                     TEXT PRIMARY KEY,
    hostname               TEXT NOT NULL,
    state                  TEXT NOT NULL,
    project_id             TEXT NOT NULL REFERENCES projects (id),
    display_name           TEXT NOT NULL,
    description            TEXT NOT NULL,
    certificate_serial     TEXT NOT NULL,
    public_key_fingerprint TEXT NOT NULL UNIQUE,
    sealing_key            TEXT NOT NULL,
    facts                  TEXT NOT NULL,
    enrolled_by            TEXT NOT NULL,
    ephemeral              BIGINT NOT NULL,
    gone_after_s           BIGINT NOT NULL,
    last_seen              BIGINT,
    bundle_version         BIGINT NOT NULL,
    acked_version          BIGINT NOT NULL,
    acked_sequence         BIGINT NOT NULL,
    acked_at               BIGINT,
    created_at             BIGINT NOT NULL,
    updated_at             BIGINT NOT NULL,
    version                BIGINT NOT NULL
);

-- source: admin, auto (from facts, at enrolment) or host (from the host's own file).
CREATE TABLE host_tags (
    host_id TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    tag     TEXT NOT NULL,
    source  TEXT NOT NULL,
    PRIMARY KEY (host_id, tag)
);

-- rule: the JSON text of policy::AccessRule, exactly as hosts get it.
CREATE TABLE access_rules (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    rule        TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    updated_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL
);

-- Only the public key: the seed is in the token's text and nowhere else.
CREATE TABLE enrollment_tokens (
    id                TEXT PRIMARY KEY,
    public_key        TEXT NOT NULL,
    description       TEXT NOT NULL,
    project_id        TEXT NOT NULL REFERENCES projects (id),
    tags              TEXT NOT NULL,
    ephemeral         BIGINT NOT NULL,
    gone_after_s      BIGINT NOT NULL,
    approval_required BIGINT NOT NULL,
    max_uses          BIGINT NOT NULL,
    uses              BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL,
    revoked_at        BIGINT,
    created_at        BIGINT NOT NULL,
    created_by        TEXT NOT NULL
);

CREATE TABLE enrollment_nonces (
    token_id TEXT NOT NULL REFERENCES enrollment_tokens (id),
    nonce    TEXT NOT NULL,
    used_at  BIGINT NOT NULL,
    PRIMARY KEY (token_id, nonce)
);

CREATE TABLE role_assignments (
    id         TEXT PRIMARY KEY,
    role       TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (role, user_id)
);

CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,
    token_hash   TEXT NOT NULL UNIQUE,
    user_id      TEXT NOT NULL REFERENCES users (id),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

CREATE TABLE api_tokens (
    id           TEXT PRIMARY KEY,
    token_hash   TEXT NOT NULL UNIQUE,
    user_id      TEXT NOT NULL REFERENCES users (id),
    name         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT
);

-- answer is NULL where the first answer held a secret that is shown only once.
CREATE TABLE idempotency_keys (
    caller     TEXT NOT NULL,
    key        TEXT NOT NULL,
    digest     TEXT NOT NULL,
    status     BIGINT NOT NULL,
    answer     TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);

-- body: the canonical JSON over which hash is made; the other columns repeat parts of it for search.
CREATE TABLE events (
    seq       BIGINT PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    time      BIGINT NOT NULL,
    kind      TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    actor_id  TEXT NOT NULL,
    target_id TEXT NOT NULL,
    host_id   TEXT NOT NULL,
    body      TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash      TEXT NOT NULL
);
CREATE INDEX events_by_kind ON events (kind, seq);
CREATE INDEX events_by_target ON events (target_id, seq);
CREATE INDEX events_by_actor ON events (actor_id, seq);
CREATE INDEX events_by_host ON events (host_id, seq);

-- One row: the newest event, so that a chain cut off at its end shows.
CREATE TABLE events_head (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    seq  BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO events_head (one, seq, hash) VALUES (1, 0, '');
