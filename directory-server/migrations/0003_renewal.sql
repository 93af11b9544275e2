-- The certificate before the newest one stays good until its own end: a renewal that got lost on its
-- way must not cut a host off.
ALTER TABLE hosts ADD COLUMN previous_serial TEXT NOT NULL DEFAULT '';

-- How many people may vanish from a host's bundle at once, as an administrator has confirmed, and the
-- bundle of that moment: the word is good until the host has a newer one in force.
ALTER TABLE hosts ADD COLUMN confirmed_removals BIGINT NOT NULL DEFAULT 0;
ALTER TABLE hosts ADD COLUMN confirmed_over BIGINT NOT NULL DEFAULT 0;
