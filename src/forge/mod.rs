//! Forges: merge requests, comments, statuses, rights, on GitHub, GitLab, Gitea, or the embedded local one.
//!
//! Owns the role traits and one implementation for each forge. Does not own what is said in a merge request, nor when.
