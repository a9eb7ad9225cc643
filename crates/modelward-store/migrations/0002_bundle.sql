-- Policy bundles as files, by the digest of their texts. A file says nothing about whether it is in force: that stands in
-- `entity`, under the kind `policy`.
CREATE TABLE bundle (
    digest      TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    version     TEXT   NOT NULL,
    file        TEXT   NOT NULL,
    proposed_by TEXT   NOT NULL,
    proposed_at BIGINT NOT NULL
);

CREATE INDEX bundle_proposed ON bundle (proposed_at, digest);
