-- What programs get token after token with: families of handles, each handle by its digest and used once.
CREATE TABLE refresh_family (
    id         TEXT   NOT NULL PRIMARY KEY,
    session    TEXT   NOT NULL,
    principal  TEXT   NOT NULL,
    profile    TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    client     TEXT   NOT NULL,
    holder     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    handles    BIGINT NOT NULL
);

CREATE INDEX refresh_family_session ON refresh_family (session, ended_at, created_at);
CREATE INDEX refresh_family_end ON refresh_family (ends_at);

CREATE TABLE refresh_handle (
    hash    TEXT   NOT NULL PRIMARY KEY,
    family  TEXT   NOT NULL,
    used_at BIGINT NOT NULL,
    salt    TEXT   NOT NULL
);

CREATE INDEX refresh_handle_family ON refresh_handle (family);
