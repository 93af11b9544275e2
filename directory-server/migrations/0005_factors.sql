-- Second factors, their use, and the policies that ask for them.

-- seed: base64 of nonce and ciphertext, under a key that is not in the database. last_step: the
-- newest step of which a code was accepted; nothing at or before it ever is again.
CREATE TABLE mfa_devices (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id),
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    seed         TEXT,
    public_id    TEXT UNIQUE,
    last_step    BIGINT NOT NULL,
    confirmed_at BIGINT,
    last_used_at BIGINT,
    created_at   BIGINT NOT NULL,
    created_by   TEXT NOT NULL,
    UNIQUE (user_id, name)
);
CREATE INDEX mfa_devices_by_user ON mfa_devices (user_id);

CREATE TABLE backup_codes (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id),
    verifier   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT,
    used_on    TEXT
);
CREATE INDEX backup_codes_by_user ON backup_codes (user_id);

-- What was accepted once: of a TOTP device the step, of a YubiKey the hash of its password, of a
-- backup code nothing but itself. used_on: the host that says it took it, or empty.
CREATE TABLE spent_codes (
    device_id TEXT NOT NULL,
    code      TEXT NOT NULL,
    used_on   TEXT NOT NULL,
    used_at   BIGINT NOT NULL,
    PRIMARY KEY (device_id, code)
);

-- Wrong codes since window_began; locks: how many there were, less one for each quiet day.
CREATE TABLE factor_tries (
    user_id       TEXT PRIMARY KEY REFERENCES users (id),
    window_began  BIGINT NOT NULL,
    tries         BIGINT NOT NULL,
    locked_until  BIGINT NOT NULL,
    locks         BIGINT NOT NULL,
    locked_at     BIGINT NOT NULL,
    used_twice_at BIGINT
);

-- policy: the JSON text of policy::FactorPolicy, exactly as hosts get it. hosts: a selector; empty
-- for the whole organisation.
CREATE TABLE policies (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    project     TEXT NOT NULL,
    hosts       TEXT NOT NULL,
    policy      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    updated_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL
);
