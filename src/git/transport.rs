//! The bridge by which libgit2 fetches over our own HTTP client.
//!
//! libgit2 is never told the address of a remote. It gets a scheme of our own, for which this transport is registered,
//! and the transport takes the session of the calling thread. So no setting of libgit2 or of a repository
//! (`url.*.insteadOf`, proxies, redirects) can lead a request elsewhere, and without a session there is no connection.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

use git2::transport::{Service as Action, SmartSubtransport, SmartSubtransportStream, Transport};

use super::Error;
use super::network::{Limited, Service, Session};

/// What libgit2 is given as the address.
pub(super) const ADDRESS: &str = "wooo-session://remote";
const SCHEME: &str = "wooo-session";

/// No object that is fetched may be larger. A delta of a few bytes can ask for gigabytes.
const MAX_OBJECT: usize = 100 * 1024 * 1024;

thread_local! {
    static SESSION: RefCell<Option<Arc<Session>>> = const { RefCell::new(None) };
}

/// Runs `work` with libgit2's connections going to `session`.
pub(super) fn with_session<T>(session: &Arc<Session>, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    register()?;
    SESSION.set(Some(Arc::clone(session)));
    let result = work();
    SESSION.set(None);
    result
}

fn register() -> Result<(), Error> {
    static REGISTERED: OnceLock<Result<(), String>> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| register_once().map_err(|error| error.message().to_owned()));
    registered.clone().map_err(|message| Error::Git(git2::Error::from_str(&message)))
}

#[expect(unsafe_code, reason = "libgit2 keeps transports and limits in global variables")]
fn register_once() -> Result<(), git2::Error> {
    let option = libgit2_sys::GIT_OPT_SET_PACK_MAX_OBJECT_SIZE as std::ffi::c_int;
    // SAFETY: both write global state of libgit2, which has to be synchronized with its other uses. They run once, and
    // before any use: a connection is made nowhere but in `with_session`, after this. The option takes one `size_t`.
    unsafe {
        git2::transport::register(SCHEME, |remote| {
            let session = SESSION.with_borrow(Clone::clone);
            let session = session.ok_or_else(|| git2::Error::from_str("no session on this thread"))?;
            Transport::smart(remote, true, Subtransport(session))
        })?;
        libgit2_sys::git_libgit2_opts(option, MAX_OBJECT);
    }
    Ok(())
}

struct Subtransport(Arc<Session>);

impl SmartSubtransport for Subtransport {
    fn action(&self, _url: &str, action: Action) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        match action {
            Action::UploadPackLs => match self.0.advertisement(Service::UploadPack) {
                Ok(answer) => Ok(Box::new(Answer(answer))),
                Err(error) => {
                    let text = error.to_string();
                    self.0.fail(error);
                    Err(git2::Error::from_str(&text))
                }
            },
            Action::UploadPack => {
                Ok(Box::new(Exchange { session: Arc::clone(&self.0), request: Vec::new(), answer: None }))
            }
            // Pushing is done without libgit2, see `push`.
            Action::ReceivePackLs | Action::ReceivePack => Err(git2::Error::from_str("this transport only fetches")),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// A stream that is only read.
struct Answer(Limited);

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Answer {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("nothing is sent here"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A request that is written, sent as soon as the answer is wanted, and then read.
struct Exchange {
    session: Arc<Session>,
    request: Vec<u8>,
    answer: Option<Limited>,
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.answer.is_none() {
            let request = std::mem::take(&mut self.request);
            self.answer = Some(self.session.call(Service::UploadPack, request).map_err(|error| {
                let text = error.to_string();
                self.session.fail(error);
                io::Error::other(text)
            })?);
        }
        self.answer.as_mut().map_or(Ok(0), |answer| answer.read(buffer))
    }
}

impl Write for Exchange {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.request.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
