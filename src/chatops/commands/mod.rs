//! The commands, one a file: what each is called and takes, and what it does. They ask operations; none has a way of its
//! own to the fleet.

pub(super) mod approve;
pub(super) mod deploy;
pub(super) mod diff;
pub(super) mod explain;
pub(super) mod help;
pub(super) mod hold;
pub(super) mod pause;
pub(super) mod promote;
pub(super) mod resize;
pub(super) mod restart;
pub(super) mod resume;
pub(super) mod retry;
pub(super) mod rollback;
pub(super) mod scale;
pub(super) mod status;
pub(super) mod unhold;
