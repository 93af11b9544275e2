-- The organisation's rules for passwords as JSON; no row means the profile nist.
CREATE TABLE password_policy (
    one        BIGINT PRIMARY KEY CHECK (one = 1),
    settings   TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    version    BIGINT NOT NULL
);

-- Verifiers that were replaced, so that an old password does not come back.
CREATE TABLE password_history (
    user_id     TEXT NOT NULL REFERENCES users (id),
    verifier    TEXT NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, verifier)
);

-- code_hash: of the link; visit_hash: of the cookie of whoever opened it last.
CREATE TABLE invitations (
    id               TEXT PRIMARY KEY,
    user_id          TEXT NOT NULL REFERENCES users (id),
    code_hash        TEXT NOT NULL UNIQUE,
    visit_hash       TEXT UNIQUE,
    codes_shown_at   BIGINT,
    codes_kept_at    BIGINT,
    tested_at        BIGINT,
    finished_at      BIGINT,
    expires_at       BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    created_by       TEXT NOT NULL
);
CREATE INDEX invitations_by_user ON invitations (user_id);
