-- Whether a host reported the use as its own decision; online burns have 0.
ALTER TABLE spent_codes ADD COLUMN offline BIGINT NOT NULL DEFAULT 0;
ALTER TABLE backup_codes ADD COLUMN used_offline BIGINT NOT NULL DEFAULT 0;
CREATE INDEX spent_codes_by_time ON spent_codes (used_at);
