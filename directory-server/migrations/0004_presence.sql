-- Hosts of which nothing is heard, since when; a row goes when the host is back.
CREATE TABLE silent_hosts (
    host_id TEXT PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
    since   BIGINT NOT NULL
);
