-- People and what lets them in; what came in from outside; what was told to whom.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT UNIQUE,
    password_hash TEXT,
    name TEXT,
    company TEXT,
    plan TEXT NOT NULL DEFAULT 'free',
    telegram_chat_id TEXT,
    is_admin BOOLEAN NOT NULL,
    session_epoch BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE identities (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    username TEXT,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX identities_by_user ON identities (user_id);

CREATE TABLE memberships (
    fleet TEXT NOT NULL,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('local', 'fleet')),
    PRIMARY KEY (fleet, tenant, user_id, source)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE login_failures (
    key TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    locked_until BIGINT
);

CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    scopes TEXT NOT NULL,
    fleet TEXT,
    tenant TEXT,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_id, created_at);

CREATE TABLE idempotency_keys (
    key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    route TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    status BIGINT,
    response TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, route, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

CREATE TABLE audit_logs (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    tenant TEXT,
    fleet TEXT,
    app TEXT,
    environment TEXT,
    change_id TEXT,
    commit_sha TEXT,
    detail TEXT,
    source TEXT NOT NULL CHECK (source IN ('git', 'service')),
    address TEXT
);
CREATE INDEX audit_logs_by_time ON audit_logs (at DESC, id DESC);
CREATE INDEX audit_logs_by_app ON audit_logs (fleet, app, at DESC, id DESC);

CREATE TABLE inbox (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    delivery TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    processed_at BIGINT,
    error TEXT,
    UNIQUE (source, delivery)
);
CREATE INDEX inbox_pending ON inbox (received_at, id) WHERE processed_at IS NULL;
CREATE INDEX inbox_processed ON inbox (processed_at) WHERE processed_at IS NOT NULL;

CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    app_id TEXT,
    environment TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    alert_name TEXT NOT NULL,
    severity TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    description TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    fired_at BIGINT NOT NULL,
    resolved_at BIGINT,
    created_at BIGINT NOT NULL
);
-- An alert that no app claims has no `app_id`, and NULL is unlike every NULL.
CREATE UNIQUE INDEX alerts_once ON alerts (COALESCE(app_id, ''), environment, fingerprint, fired_at);
CREATE INDEX alerts_by_time ON alerts (fired_at DESC, id DESC);
CREATE INDEX alerts_by_app ON alerts (app_id, environment, fired_at DESC, id DESC);

CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    playbook TEXT NOT NULL,
    state TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    detail TEXT
);
CREATE UNIQUE INDEX incidents_open ON incidents (app_id, environment, playbook) WHERE closed_at IS NULL;
CREATE INDEX incidents_by_time ON incidents (opened_at DESC, id DESC);

CREATE TABLE repair_logs (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL,
    alert_id TEXT,
    incident_id TEXT,
    change_id TEXT,
    repair_type TEXT NOT NULL,
    action_taken TEXT NOT NULL,
    result TEXT,
    success BOOLEAN,
    duration_seconds BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX repair_logs_by_time ON repair_logs (created_at DESC, id DESC);
CREATE INDEX repair_logs_by_app ON repair_logs (app_id, created_at DESC, id DESC);

CREATE TABLE templates (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    description TEXT,
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE metrics_cache (
    app_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    metric TEXT NOT NULL,
    at BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, environment, metric)
);

CREATE TABLE notifications (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    app_id TEXT,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    dedup_key TEXT UNIQUE,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    sent_at BIGINT,
    last_error TEXT
);
CREATE INDEX notifications_due ON notifications (due_at, id) WHERE state = 'pending';

-- What a change is told apart by when one is asked for again.
CREATE INDEX changes_by_tenant ON changes (fleet, tenant, created_at DESC, id DESC);
