-- Gateways in processes of their own. A certificate stands here by its digest: what is not in this table is let in by
-- no signature.
CREATE TABLE gateway (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    invited_by  TEXT   NOT NULL,
    invited_at  BIGINT NOT NULL,
    code_hash   TEXT   NOT NULL,
    code_until  BIGINT NOT NULL,
    certificate TEXT   NOT NULL,
    renewed     TEXT   NOT NULL,
    enrolled_at BIGINT NOT NULL,
    removed_at  BIGINT NOT NULL
);

CREATE UNIQUE INDEX gateway_name ON gateway (name) WHERE removed_at = 9223372036854775807;
