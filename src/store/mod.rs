//! The database: an index of what Git holds, and what only wooo knows (people, tokens, jobs).
//!
//! SQLite is embedded and the default; PostgreSQL serves several replicas. One file for each entity.
