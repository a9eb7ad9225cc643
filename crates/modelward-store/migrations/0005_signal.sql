-- Security events received from elsewhere, the last ones, for people to look at. What they brought into force stands with
-- everything else that is in force.
CREATE TABLE received (
    number      BIGINT NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    transmitter TEXT   NOT NULL,
    event       TEXT   NOT NULL,
    about       TEXT   NOT NULL,
    happened_at BIGINT NOT NULL,
    effect      TEXT   NOT NULL,
    reason      TEXT   NOT NULL
);

CREATE INDEX received_transmitter ON received (transmitter, number);

INSERT INTO counter (name, value) VALUES ('received', 0);
