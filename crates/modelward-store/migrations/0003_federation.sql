-- Sessions that rest on what an issuer elsewhere says: what they reach, when their proof ends, and who they are there.
ALTER TABLE session ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN proof_ends_at BIGINT NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE session ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN issuer_session TEXT NOT NULL DEFAULT '';

CREATE INDEX session_issuer ON session (issuer, ended_at, subject);

-- What counts once, such as a notice of a sign-out, until it would be too old to count anyway.
CREATE TABLE used_once (
    digest     TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE INDEX used_once_expiry ON used_once (expires_at);

-- People who signed in elsewhere and are nobody here yet.
CREATE TABLE sighting (
    digest  TEXT   NOT NULL PRIMARY KEY,
    issuer  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    email   TEXT   NOT NULL,
    seen_at BIGINT NOT NULL
);
