-- Provisioning clients that speak SCIM, their secrets as digests, and what they said last. What they said is not what is
-- in force: people are entities like any other. 9223372036854775807 means: not yet.
CREATE TABLE scim_client (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    issuer        TEXT   NOT NULL,
    subject       TEXT   NOT NULL,
    people_max    BIGINT NOT NULL,
    percent_max   BIGINT NOT NULL,
    made_by       TEXT   NOT NULL,
    made_at       BIGINT NOT NULL,
    revoked_at    BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    changed_at    BIGINT NOT NULL,
    paused_at     BIGINT NOT NULL,
    passes_until  BIGINT NOT NULL
);

CREATE UNIQUE INDEX scim_client_name ON scim_client (name) WHERE revoked_at = 9223372036854775807;

CREATE TABLE scim_secret (
    hash       TEXT   NOT NULL PRIMARY KEY,
    client     TEXT   NOT NULL,
    made_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX scim_secret_client ON scim_secret (client, expires_at);

CREATE TABLE scim_resource (
    id         TEXT   NOT NULL PRIMARY KEY,
    client     TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    -- What is unique among those of its client and kind: the name in small letters.
    name_key   TEXT   NOT NULL,
    label      TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    -- 1 where the client itself ended the person, and so may let them back in.
    ended      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX scim_resource_name ON scim_resource (client, kind, name_key);

CREATE TABLE scim_member (
    person   TEXT NOT NULL,
    of_group TEXT NOT NULL,
    PRIMARY KEY (of_group, person)
);

CREATE INDEX scim_member_person ON scim_member (person);

-- Whom a client ended and when, for as long as its breaker looks back.
CREATE TABLE scim_ended (
    client TEXT   NOT NULL,
    person TEXT   NOT NULL,
    at     BIGINT NOT NULL
);

CREATE INDEX scim_ended_client ON scim_ended (client, at);
