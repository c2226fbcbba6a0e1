//! Git: repositories, trees, commits, refs, history, notes, and talking to remotes.
//!
//! Owns every byte that goes into a repository or over the network to one. Trees are edited in the object database,
//! without a checkout, at a cost that follows the change and not the fleet; refs move only by compare-and-swap under
//! Git's own locks, so any number of processes may write side by side.
//!
//! Does not own: what the files mean, when a change is made or tried again, and merge requests. It decides nothing: each
//! way to fail that a caller can act on is a variant of [`Error`].

mod address;
mod commit;
mod credential;
mod diff;
mod edit;
mod error;
mod fast_forward;
mod history;
mod loose;
mod names;
mod network;
mod notes;
mod object;
mod pack;
mod packet;
mod path;
mod push;
mod raw_tree;
mod refs;
mod remote;
mod repository;
mod ssh;
mod trailers;
mod transport;
mod tree;
mod url;
mod writer;

pub use address::Lookup;
pub use commit::{CommitInfo, Person, Signature};
pub use credential::{Access, Credential};
pub use diff::FileChange;
pub use edit::TreeEdits;
pub use error::Error;
pub use history::History;
pub use names::{BlobId, BranchName, CommitId, RefName, TreeId};
pub use network::{Limits, Network, NetworkPolicy};
pub use object::PreparedBlob;
pub use push::PushRef;
pub use remote::{FetchRef, Remote, RemoteBranches};
pub use repository::{Repository, default_identity};
pub use trailers::{Key, Trailers, message};
pub use tree::{EntryId, GitTree};
pub use url::{RemoteUrl, TrustedOrigin, UrlError, UrlPolicy};
pub use writer::ObjectWriter;
