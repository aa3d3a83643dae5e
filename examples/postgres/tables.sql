-- A table of all events of sms.delivery, as sink.json fills it, and views of the latest status.

CREATE TABLE sms_delivery (
    event_id                    uuid PRIMARY KEY,
    message_id                  text NOT NULL,
    provider                    text NOT NULL,
    account                     text NOT NULL,
    provider_message_id         text NOT NULL,
    recipient                   text,
    sender                      text,
    outcome                     text NOT NULL,
    status                      text NOT NULL,
    final                       boolean NOT NULL,
    permanent                   boolean,
    reason                      text NOT NULL,
    provider_status             text,
    provider_code               text,
    previous_status             text,
    sequence                    bigint NOT NULL,
    corrects                    uuid,
    source                      text NOT NULL,
    sent_at                     timestamptz NOT NULL,
    observed_at                 timestamptz NOT NULL,
    occurred_at                 timestamptz NOT NULL,
    occurred_at_source          text NOT NULL,
    latency_seconds             double precision,
    provider_details_mccmnc     text,
    provider_details_segments   text,
    provider_details_price      text,
    provider_details_network_id text,
    provider_details_tat        text
);
CREATE INDEX ON sms_delivery (message_id, provider, account, provider_message_id, sequence DESC);
CREATE INDEX ON sms_delivery (sent_at);

-- The latest event of each attempt: the one with the highest sequence.
CREATE VIEW sms_attempts AS
SELECT DISTINCT ON (message_id, provider, account, provider_message_id) *
FROM sms_delivery
ORDER BY message_id, provider, account, provider_message_id, sequence DESC;

-- The latest status of each message: delivered if any of its attempts is, else that of the attempt that was sent last.
CREATE VIEW sms_messages AS
SELECT DISTINCT ON (message_id) *
FROM sms_attempts
ORDER BY message_id, (outcome = 'delivered') DESC, sent_at DESC;
