//! A real PostgreSQL for tests: one cluster for each test process, one fresh database for each test.
//!
//! Nothing is left running: a shell waits on a pipe from the test process, and when that ends, however it ends, stops the
//! server and removes its files.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

static SHARED: LazyLock<Postgres> = LazyLock::new(Postgres::start);

/// A server with its own files.
pub(crate) struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    databases: AtomicU32,
    /// Its standard input is the pipe. It is never written to.
    _watchdog: Child,
}

impl Postgres {
    /// The server of this test process.
    pub(crate) fn shared() -> &'static Self {
        &SHARED
    }

    /// A server of its own, for a test that stops it.
    pub(crate) fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("wooo-postgres-").tempdir().expect("a temporary folder").keep();
        if let Some((user, group)) = other_user() {
            chown(&folder, Some(user), Some(group)).expect("the folder is given to the user of the server");
        }
        let watchdog = watchdog(&programs, &folder);
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = port.expect("a free port").port();
        let server = Self { folder, programs, port, databases: AtomicU32::new(0), _watchdog: watchdog };
        let data = server.data();
        let data = data.to_str().expect("a plain path");
        server.run("initdb", &["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
        server.start_again();
        server
    }

    /// The address of a new, empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("createdb", &["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", &name]);
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Stops the server as an administrator would in a hurry: connections are cut.
    pub(crate) fn stop(&self) {
        self.run("pg_ctl", &["stop", "-w", "-m", "fast", "-D", self.data().to_str().expect("a plain path")]);
    }

    /// Starts the server after [`Postgres::stop`].
    pub(crate) fn start_again(&self) {
        let folder = self.folder.display();
        let options = format!(
            "-h 127.0.0.1 -p {} -k {folder} -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
             -c max_connections=300",
            self.port
        );
        let log = self.folder.join("log");
        let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
        self.run("pg_ctl", &["start", "-w", "-D", &path(&self.data()), "-l", &path(&log), "-o", &options]);
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        if let Some((user, group)) = other_user() {
            command.uid(user).gid(group);
        }
        // `pg_ctl start` leaves a server behind, which would keep a pipe open for ever.
        let output = tempfile::tempfile().expect("a temporary file");
        let copy = || Stdio::from(output.try_clone().expect("a file handle"));
        let status = command.stdout(copy()).stderr(copy()).status().expect("the program of PostgreSQL starts");
        assert!(status.success(), "`{program}` failed with {status}: {}", read(&output));
    }
}

fn read(mut file: &std::fs::File) -> String {
    use std::io::{Read, Seek};
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.map_or_else(|error| error.to_string(), |_| text)
}

/// PostgreSQL refuses to run as root, so it runs as its own user then.
fn other_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().expect("`id` runs");
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let ids = id(&["-u", "postgres"]).zip(id(&["-g", "postgres"]));
    Some(ids.expect("as root, the tests need a user `postgres` to run PostgreSQL as"))
}

/// The folder of `initdb` and its like.
fn programs() -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&on_path).map(|folder| folder.join("initdb"));
    let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/initdb")))
        .collect();
    packaged.sort();
    let found = on_path.chain(packaged.into_iter().rev()).find_map(|path| path.canonicalize().ok());
    let found = found.expect("these tests need PostgreSQL: `initdb` is neither on the PATH nor in /usr/lib/postgresql");
    found.parent().expect("a program is in a folder").to_owned()
}

fn watchdog(programs: &Path, folder: &Path) -> Child {
    let stop = "read nothing; \"$1/pg_ctl\" stop -m immediate -D \"$2/data\" >/dev/null 2>&1";
    let mut command = Command::new("sh");
    // Two shells: the inner one stops the server as its user, the outer one removes the files as ours.
    command.args(["-c", "trap '' INT TERM HUP; sh -c \"$0\" sh \"$1\" \"$2\"; rm -rf \"$2\"", stop]);
    command.arg(programs).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command.spawn().expect("`sh` runs")
}
