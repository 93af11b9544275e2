-- Sign-ins whose password was right and whose code is still to come. must_enrol: a session that may do
-- nothing but enrol a second factor, until there is one.
CREATE TABLE sign_ins (
    ticket_hash TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id),
    expires_at  BIGINT NOT NULL
);
CREATE INDEX sign_ins_by_user ON sign_ins (user_id);

ALTER TABLE sessions ADD COLUMN must_enrol BIGINT NOT NULL DEFAULT 0;
