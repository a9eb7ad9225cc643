-- Passkeys: public keys, found by the digest of their credential id, and challenges that wait for an answer.
CREATE TABLE passkey (
    id         TEXT   NOT NULL PRIMARY KEY,
    person     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    counter    BIGINT NOT NULL,
    added_at   BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    copied_at  BIGINT NOT NULL
);

CREATE INDEX passkey_person ON passkey (person, id);

ALTER TABLE pending_credential ADD COLUMN passkey TEXT NOT NULL DEFAULT '';

CREATE TABLE ceremony (
    challenge  TEXT   NOT NULL PRIMARY KEY,
    purpose    TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX ceremony_source ON ceremony (source, expires_at);
CREATE INDEX ceremony_expiry ON ceremony (expires_at);

-- The network a session was opened from.
ALTER TABLE session ADD COLUMN source TEXT NOT NULL DEFAULT '';
