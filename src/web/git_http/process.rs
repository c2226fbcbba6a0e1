//! The `git` program for one request: in a closed environment, fed as the request comes in, read as it answers.
//!
//! A program that only reads is ended when its client goes away. One that writes is told that nothing more comes and is
//! left to end by itself: it clears its own locks away then.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use futures::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::Service;
use super::input::{Failure, Input};

/// Bytes that are read from the program at a time.
const CHUNK: usize = 64 * 1024;

/// How long a push whose client is gone may take to end by itself.
const GRACE: Duration = Duration::from_secs(60);

/// Settings of every run. Nothing that a repository holds makes the program run another program.
const SETTINGS: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "receive.fsckObjects=true",
    "transfer.fsckObjects=true",
    // It would run on beside the request, outside of its limits.
    "receive.autogc=false",
    "gc.auto=0",
    "receive.denyDeleteCurrent=refuse",
    "uploadpack.allowFilter=true",
];

/// What is to be run.
pub(super) struct Job {
    pub(super) git: PathBuf,
    pub(super) service: Service,
    pub(super) path: PathBuf,
    pub(super) protocol: Option<String>,
    pub(super) settings: Vec<String>,
    pub(super) is_advertisement: bool,
    pub(super) total: Duration,
}

/// What the program says, chunk by chunk. Dropping it means that the client is gone.
pub(super) struct Output(mpsc::Receiver<Result<Bytes, Failure>>);

impl Stream for Output {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

impl Job {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.git);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")));
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        if let Some(protocol) = &self.protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        for setting in SETTINGS.into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.args([self.service.program(), "--stateless-rpc"]);
        if self.is_advertisement {
            command.arg("--advertise-refs");
        }
        command.arg(&self.path).current_dir(&self.path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Starts the program, with `first` before `input`. The turn is given back when it has ended.
    pub(super) fn start(self, first: Bytes, input: Input, turn: OwnedSemaphorePermit) -> io::Result<Output> {
        let mut child = self.command().spawn()?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("the program has no pipes"));
        };
        let (sender, receiver) = mpsc::channel(2);
        let run = Run {
            child,
            stdout,
            sender,
            feed: Some(AbortOnDropHandle::new(tokio::spawn(feed(stdin, first, input)))),
            words: AbortOnDropHandle::new(tokio::spawn(last_words(stderr))),
            writes: self.service == Service::Push && !self.is_advertisement,
            deadline: Instant::now() + self.total,
            has_spoken: false,
        };
        tokio::spawn(async move {
            run.follow().await;
            drop(turn);
        });
        Ok(Output(receiver))
    }
}

/// What has become of feeding a program. After a failure its input is still open: were it closed first, the program might
/// end over that before the failure is known, and its end would be taken for the reason.
type Fed = Result<(), (Failure, Option<ChildStdin>)>;

type Feed = AbortOnDropHandle<Fed>;

/// A program that runs.
struct Run {
    child: Child,
    stdout: ChildStdout,
    sender: mpsc::Sender<Result<Bytes, Failure>>,
    feed: Option<Feed>,
    words: AbortOnDropHandle<String>,
    writes: bool,
    deadline: Instant,
    has_spoken: bool,
}

/// What happens next to a program.
enum Event {
    Said(io::Result<Bytes>),
    Fed(Fed),
    ClientGone,
    Late,
}

impl Run {
    async fn follow(mut self) {
        loop {
            match self.event().await {
                Event::Fed(Ok(())) => self.feed = None,
                Event::Fed(Err((failure, stdin))) => {
                    drop(stdin);
                    return self.give_up(failure).await;
                }
                Event::Late => return self.give_up(Failure::Late).await,
                Event::ClientGone => return self.abandon().await,
                Event::Said(Ok(bytes)) if bytes.is_empty() => return self.end().await,
                Event::Said(Ok(bytes)) => {
                    self.has_spoken = true;
                    match timeout_at(self.deadline, self.sender.send(Ok(bytes))).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return self.abandon().await,
                        Err(_) => return self.give_up(Failure::Late).await,
                    }
                }
                Event::Said(Err(error)) => {
                    tracing::warn!(%error, "the git program cannot be read");
                    return self.give_up(Failure::Program).await;
                }
            }
        }
    }

    async fn event(&mut self) -> Event {
        let feed = self.feed.as_mut();
        tokio::select! {
            said = chunk(&mut self.stdout) => Event::Said(said),
            Some(fed) = fed(feed) => Event::Fed(fed),
            () = self.sender.closed() => Event::ClientGone,
            () = tokio::time::sleep_until(self.deadline) => Event::Late,
        }
    }

    /// The program has said everything.
    async fn end(mut self) {
        let status = match timeout_at(self.deadline, self.child.wait()).await {
            Ok(Ok(status)) => status,
            _ => return self.give_up(Failure::Program).await,
        };
        if status.success() {
            return;
        }
        let words = timeout_at(self.deadline, &mut self.words).await;
        let words = words.ok().and_then(Result::ok).unwrap_or_default();
        tracing::warn!(%status, %words, "the git program failed");
        if !self.has_spoken {
            self.tell(Failure::Program).await;
        }
    }

    /// The request cannot go on.
    async fn give_up(mut self, failure: Failure) {
        self.feed = None;
        if self.writes && failure != Failure::Late {
            self.drain().await;
        }
        let _has_ended_already = self.child.kill().await;
        self.tell(failure).await;
    }

    /// Nobody listens any more.
    async fn abandon(mut self) {
        if self.writes {
            self.feed = None;
            self.drain().await;
        }
        let _has_ended_already = self.child.kill().await;
    }

    /// Lets the program end by itself, now that nothing more comes in.
    async fn drain(&mut self) {
        let end = self.deadline.min(Instant::now() + GRACE);
        while let Ok(Ok(bytes)) = timeout_at(end, chunk(&mut self.stdout)).await {
            if bytes.is_empty() {
                let _ended = timeout_at(end, self.child.wait()).await;
                return;
            }
        }
    }

    async fn tell(&self, failure: Failure) {
        // A client that does not read what it was sent before does not hear this either.
        let _not_heard = tokio::time::timeout(Duration::from_secs(5), self.sender.send(Err(failure))).await;
    }
}

/// The end of feeding, while there is any.
async fn fed(feed: Option<&mut Feed>) -> Option<Fed> {
    let joined = feed?.await;
    Some(joined.unwrap_or(Err((Failure::Program, None))))
}

/// The next bytes that the program says; none at its end. Nothing is lost if this is given up on the way.
async fn chunk(stdout: &mut ChildStdout) -> io::Result<Bytes> {
    let mut buffer = Vec::with_capacity(CHUNK);
    stdout.read_buf(&mut buffer).await?;
    Ok(Bytes::from(buffer))
}

async fn feed(mut stdin: ChildStdin, first: Bytes, mut input: Input) -> Fed {
    let mut bytes = first;
    // A program that has heard enough closes its side, and what it says tells why.
    while stdin.write_all(&bytes).await.is_ok() {
        match input.next().await {
            Ok(Some(next)) => bytes = next,
            Ok(None) => break,
            Err(failure) => return Err((failure, Some(stdin))),
        }
    }
    Ok(())
}

/// The beginning of what the program complains about, for the log; the rest is read and forgotten.
async fn last_words(mut stderr: ChildStderr) -> String {
    let mut words = Vec::new();
    let _what_came_counts = (&mut stderr).take(4096).read_to_end(&mut words).await;
    let _rest = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&words).trim().escape_debug().to_string()
}
