-- Portable on purpose: TEXT and BIGINT only, numbered parameters, no default that depends on a clock.
-- Times are microseconds since 1970 in UTC. 9223372036854775807 means: still so.

CREATE TABLE counter (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

INSERT INTO counter (name, value) VALUES ('revision', 0), ('outbox', 0), ('sign_in', 0);

CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Every moment at which what is in force changed.
CREATE TABLE revision (
    number BIGINT NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL,
    event  TEXT   NOT NULL,
    phase  TEXT   NOT NULL
);

CREATE INDEX revision_at ON revision (at, number);

-- What is in force and what was: people, machines, groups and the inventory.
CREATE TABLE entity (
    kind          TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    body          TEXT   NOT NULL,
    event         TEXT   NOT NULL,
    valid_from    BIGINT NOT NULL,
    valid_to      BIGINT NOT NULL,
    revision_from BIGINT NOT NULL,
    revision_to   BIGINT NOT NULL,
    PRIMARY KEY (kind, id, revision_from)
);

CREATE UNIQUE INDEX entity_in_force ON entity (kind, id) WHERE revision_to = 9223372036854775807;
CREATE UNIQUE INDEX entity_name ON entity (kind, name) WHERE revision_to = 9223372036854775807;

-- Who is a member of what, and every other reference of one thing to another.
CREATE TABLE link (
    relation      TEXT   NOT NULL,
    source_kind   TEXT   NOT NULL,
    source        TEXT   NOT NULL,
    target        TEXT   NOT NULL,
    event         TEXT   NOT NULL,
    valid_from    BIGINT NOT NULL,
    valid_to      BIGINT NOT NULL,
    revision_from BIGINT NOT NULL,
    revision_to   BIGINT NOT NULL,
    PRIMARY KEY (source, relation, target, revision_from)
);

CREATE INDEX link_target ON link (target, relation) WHERE revision_to = 9223372036854775807;

-- A grant comes once and goes once.
CREATE TABLE grants (
    id            TEXT   NOT NULL PRIMARY KEY,
    grantee       TEXT   NOT NULL,
    privilege     TEXT   NOT NULL,
    scope         TEXT   NOT NULL,
    conditions    TEXT   NOT NULL,
    origin        TEXT   NOT NULL,
    not_before    BIGINT NOT NULL,
    not_after     BIGINT NOT NULL,
    event         TEXT   NOT NULL,
    valid_from    BIGINT NOT NULL,
    valid_to      BIGINT NOT NULL,
    revision_from BIGINT NOT NULL,
    revision_to   BIGINT NOT NULL
);

CREATE INDEX grants_grantee ON grants (grantee, id);
CREATE INDEX grants_scope ON grants (scope, id);

CREATE TABLE epoch (
    scope         TEXT   NOT NULL,
    value         BIGINT NOT NULL,
    event         TEXT   NOT NULL,
    valid_from    BIGINT NOT NULL,
    revision_from BIGINT NOT NULL,
    PRIMARY KEY (scope, value)
);

-- One row per event; ledger_index is -1 until its ledger entry is durable.
CREATE TABLE outbox (
    event              TEXT   NOT NULL PRIMARY KEY,
    sequence           BIGINT NOT NULL,
    actor              TEXT   NOT NULL,
    at                 BIGINT NOT NULL,
    detail             TEXT   NOT NULL,
    digest             TEXT   NOT NULL,
    revision_committed BIGINT NOT NULL,
    ledger_index       BIGINT NOT NULL,
    ledgered_at        BIGINT NOT NULL,
    revision_ledgered  BIGINT NOT NULL
);

CREATE UNIQUE INDEX outbox_sequence ON outbox (sequence);
CREATE INDEX outbox_pending ON outbox (sequence) WHERE ledger_index = -1;

-- What an event changes, until its ledger entry is durable. Present is 0 where the change leaves nothing; superseded
-- is 1 where a later change of the same thing is in the ledger already.
CREATE TABLE pending (
    event      TEXT   NOT NULL,
    position   BIGINT NOT NULL,
    sequence   BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    present    BIGINT NOT NULL,
    superseded BIGINT NOT NULL,
    PRIMARY KEY (event, position)
);

CREATE INDEX pending_key ON pending (kind, id, sequence);
CREATE INDEX pending_name ON pending (kind, name);

-- What a person signs in with. Nothing here can be read back into a password; the TOTP seed is sealed by the caller.
CREATE TABLE credential (
    person      TEXT   NOT NULL PRIMARY KEY,
    password    TEXT   NOT NULL,
    totp_sealed TEXT   NOT NULL,
    totp_step   BIGINT NOT NULL,
    -- The event each part comes from, so that an older one that becomes durable later changes nothing.
    password_sequence BIGINT NOT NULL,
    totp_sequence     BIGINT NOT NULL,
    recovery_sequence BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL
);

CREATE TABLE recovery_code (
    person TEXT NOT NULL,
    hash   TEXT NOT NULL,
    PRIMARY KEY (person, hash)
);

-- New credentials whose ledger entry is not durable yet; an empty text leaves that part as it is.
CREATE TABLE pending_credential (
    event       TEXT   NOT NULL,
    person      TEXT   NOT NULL,
    sequence    BIGINT NOT NULL,
    password    TEXT   NOT NULL,
    totp_sealed TEXT   NOT NULL,
    totp_step   BIGINT NOT NULL,
    recovery    TEXT   NOT NULL,
    PRIMARY KEY (event, person)
);

CREATE INDEX pending_credential_person ON pending_credential (person);

CREATE TABLE enrolment (
    code_hash  TEXT   NOT NULL PRIMARY KEY,
    person     TEXT   NOT NULL,
    issued_by  TEXT   NOT NULL,
    offered    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);

CREATE INDEX enrolment_person ON enrolment (person);

CREATE TABLE session (
    id               TEXT   NOT NULL PRIMARY KEY,
    principal        TEXT   NOT NULL,
    token_hash       TEXT   NOT NULL,
    strength         BIGINT NOT NULL,
    methods          TEXT   NOT NULL,
    binding          TEXT   NOT NULL,
    authenticated_at BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    last_seen_at     BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    epoch_principal  BIGINT NOT NULL,
    epoch_session    BIGINT NOT NULL,
    user_agent       TEXT   NOT NULL,
    ended_at         BIGINT NOT NULL
);

CREATE UNIQUE INDEX session_token ON session (token_hash);
CREATE INDEX session_principal ON session (principal, id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE softlock (
    subject       TEXT   NOT NULL PRIMARY KEY,
    failures      BIGINT NOT NULL,
    day           BIGINT NOT NULL,
    wait_until    BIGINT NOT NULL,
    trusted_until BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);

CREATE INDEX softlock_expiry ON softlock (expires_at);

CREATE TABLE sign_in (
    number  BIGINT NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    name    TEXT   NOT NULL,
    source  TEXT   NOT NULL,
    outcome TEXT   NOT NULL
);

CREATE INDEX sign_in_name ON sign_in (name, number);

CREATE TABLE signing_key (
    kid        TEXT   NOT NULL PRIMARY KEY,
    purpose    TEXT   NOT NULL,
    public     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
