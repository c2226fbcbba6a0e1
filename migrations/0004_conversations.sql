-- What was said to wooo on merge requests, what it answered, and who agreed to which change.

CREATE TABLE comments (
    source TEXT NOT NULL,
    comment BIGINT NOT NULL,
    merge_request BIGINT NOT NULL,
    author_id TEXT NOT NULL,
    author TEXT NOT NULL,
    verbs TEXT NOT NULL,
    answer TEXT NOT NULL,
    reply BIGINT,
    handled_at BIGINT NOT NULL,
    PRIMARY KEY (source, comment)
);
CREATE INDEX comments_by_merge_request ON comments (source, merge_request, comment);
CREATE INDEX comments_by_time ON comments (handled_at);

CREATE TABLE conversations (
    source TEXT NOT NULL,
    merge_request BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    looked_at BIGINT NOT NULL,
    PRIMARY KEY (source, merge_request)
);

CREATE TABLE approvals (
    change_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    login TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (change_id, user_id)
);
