-- The index of the fleets, and the queue. Read by SQLite as it stands; on PostgreSQL `TEXT` compares by bytes.

CREATE TABLE fleets (
    name TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    branch TEXT NOT NULL,
    tip TEXT,
    indexed_at BIGINT
);

CREATE TABLE tenants (
    fleet TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (fleet, name)
);

CREATE TABLE apps (
    id TEXT PRIMARY KEY,
    fleet TEXT NOT NULL,
    name TEXT NOT NULL,
    display_name TEXT,
    domain TEXT,
    namespace TEXT NOT NULL,
    framework TEXT,
    plan TEXT NOT NULL,
    source_type TEXT,
    source_url TEXT,
    status TEXT NOT NULL DEFAULT 'initializing',
    owner_id TEXT,
    tenant TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (fleet, name)
);
CREATE INDEX apps_by_name ON apps (name, id);
CREATE INDEX apps_by_tenant ON apps (fleet, tenant, name, id);

CREATE TABLE app_configs (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    environment TEXT,
    config_key TEXT NOT NULL,
    config_value TEXT,
    is_secret BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK (config_value IS NULL OR NOT is_secret)
);
CREATE INDEX app_configs_by_app ON app_configs (app_id, config_key);

CREATE TABLE placements (
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    environment TEXT NOT NULL,
    image TEXT,
    replicas_min BIGINT,
    replicas_max BIGINT,
    plan TEXT,
    host TEXT,
    hold TEXT,
    health TEXT,
    sync_state TEXT,
    applied_revision TEXT,
    detail TEXT,
    observed_at BIGINT,
    drift TEXT,
    PRIMARY KEY (app_id, environment)
);
CREATE INDEX placements_by_environment ON placements (environment, app_id);

CREATE TABLE changes (
    id TEXT PRIMARY KEY,
    fleet TEXT NOT NULL,
    app_id TEXT,
    app TEXT NOT NULL,
    environment TEXT,
    action TEXT NOT NULL,
    intent TEXT,
    actor TEXT NOT NULL,
    reason TEXT,
    tenant TEXT,
    subject TEXT,
    state TEXT NOT NULL,
    outcome TEXT,
    problem TEXT,
    notes TEXT NOT NULL,
    diffs TEXT NOT NULL,
    files TEXT NOT NULL,
    branch TEXT,
    base_commit TEXT,
    commit_sha TEXT,
    digest TEXT,
    merge_request BIGINT,
    merge_request_url TEXT,
    merge_mode TEXT NOT NULL,
    merged_sha TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    proposed_at BIGINT,
    merged_at BIGINT,
    settled_at BIGINT
);
CREATE INDEX changes_by_time ON changes (created_at DESC, id DESC);
CREATE INDEX changes_by_app ON changes (fleet, app, created_at DESC, id DESC);
CREATE INDEX changes_by_state ON changes (state, created_at DESC, id DESC);
CREATE INDEX changes_by_branch ON changes (fleet, branch);
CREATE INDEX changes_by_merge_request ON changes (fleet, merge_request);

CREATE TABLE deployments (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    change_id TEXT NOT NULL,
    version TEXT,
    image TEXT,
    status TEXT NOT NULL,
    rollback_version TEXT,
    deployed_by TEXT NOT NULL,
    deployed_at BIGINT NOT NULL,
    completed_at BIGINT,
    outcome TEXT,
    detail TEXT
);
CREATE INDEX deployments_by_app ON deployments (app_id, environment, deployed_at DESC, id DESC);
CREATE INDEX deployments_by_time ON deployments (deployed_at DESC, id DESC);
CREATE INDEX deployments_by_change ON deployments (change_id);

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    dedup_key TEXT,
    serial_key TEXT,
    priority BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    max_attempts BIGINT NOT NULL,
    lease_owner TEXT,
    lease_token BIGINT NOT NULL DEFAULT 0,
    lease_until BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE UNIQUE INDEX jobs_queued_once ON jobs (dedup_key) WHERE state = 'queued';
CREATE UNIQUE INDEX jobs_one_at_a_time ON jobs (serial_key) WHERE state = 'running';
CREATE INDEX jobs_to_claim ON jobs (priority DESC, run_at, created_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
