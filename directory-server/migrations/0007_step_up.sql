-- When somebody last proved in this session, beyond signing in, that it is still them.
ALTER TABLE sessions ADD COLUMN password_proven_at BIGINT;
ALTER TABLE sessions ADD COLUMN factor_proven_at BIGINT;

-- Who wants to reset the password or the second factors of somebody who may change things here.
CREATE TABLE reset_wishes (
    user_id  TEXT NOT NULL REFERENCES users (id),
    what     TEXT NOT NULL,
    asked_by TEXT NOT NULL REFERENCES users (id),
    asked_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, what, asked_by)
);

-- When their owner said that these codes are kept.
ALTER TABLE backup_codes ADD COLUMN confirmed_at BIGINT;
