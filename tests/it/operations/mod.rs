//! Use cases end to end, where more than a folder is needed.

mod remote;
