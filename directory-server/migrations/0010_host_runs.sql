-- Each start of a host's daemon is a run. current_run: the one that called last. Of a machine, a run
-- ends before the next begins; two that take turns are two machines with one identity.
ALTER TABLE hosts ADD COLUMN current_run TEXT NOT NULL DEFAULT '';

-- returns: how often it called after another had, the last time at returned_at. source: from where.
CREATE TABLE host_runs (
    host_id     TEXT NOT NULL REFERENCES hosts (id),
    run         TEXT NOT NULL,
    first_seen  BIGINT NOT NULL,
    returns     BIGINT NOT NULL DEFAULT 0,
    returned_at BIGINT NOT NULL DEFAULT 0,
    source      TEXT NOT NULL DEFAULT '',
    refused     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (host_id, run)
);
