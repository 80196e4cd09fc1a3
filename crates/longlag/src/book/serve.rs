//! The book on a loopback address, rebuilt and reloaded when a file changes.
//!
//! Only the standard library: a reader's browser and one writer are all the load there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use super::chapter::{RECORDS, SNAPSHOTS};
use super::page::decode;
use super::{BookError, BookErrors, Built, FigureSource, build};

/// Between two looks at the files, and between two looks at whether to reload.
const PAUSE: Duration = Duration::from_millis(200);

/// A client that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest request that is read.
const REQUEST_BYTES: u64 = 16 * 1024;

/// Serves the book on 127.0.0.1 at `port` (0: any free one) and rebuilds it when a chapter, the theme, a
/// snapshot, a record or a listed source changes. `tell` gets the address first, then a line for each rebuild.
///
/// It returns only if it cannot begin.
///
/// # Errors
/// If the port is taken.
pub fn serve(
    root: &Path,
    port: u16,
    figures: &dyn FigureSource,
    tell: &mut dyn FnMut(&str),
) -> Result<std::convert::Infallible, BookErrors> {
    let mut server = Server::bind(root, port)?;
    let mut first = true;
    loop {
        match server.poll(figures) {
            Some(Ok(_)) if first => {}
            Some(Ok(_)) => tell("rebuilt"),
            Some(Err(errors)) => tell(&errors.to_string()),
            None => {}
        }
        if std::mem::take(&mut first) {
            tell(&server.url());
        }
        thread::sleep(PAUSE);
    }
}

/// A server of the book at work; it ends with the process.
pub struct Server {
    root: PathBuf,
    /// Not `target/book`: a rebuild by hand and a served one don't touch each other.
    dest: PathBuf,
    address: SocketAddr,
    /// Counts the builds; pages of an older one reload.
    version: Arc<AtomicU64>,
    inputs: BTreeSet<PathBuf>,
    seen: Option<BTreeMap<PathBuf, (SystemTime, u64)>>,
}

impl Server {
    /// Opens the address and answers on it. The book is built by the first [`poll`](Server::poll).
    ///
    /// # Errors
    /// If the port is taken.
    pub fn bind(root: &Path, port: u16) -> Result<Server, BookErrors> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
            BookError::general(format!(
                "port {port} of 127.0.0.1 can't be used ({error}): choose another, 0 takes a free one"
            ))
        })?;
        let address = listener.local_addr().map_err(|error| BookError::general(error.to_string()))?;
        let dest = root.join("target/book-serve");
        let version = Arc::new(AtomicU64::new(0));
        let (folder, builds) = (dest.clone(), Arc::clone(&version));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, builds) = (folder.clone(), Arc::clone(&builds));
                thread::spawn(move || {
                    // A client that hangs up is no error of ours.
                    let _ = answer(stream, address, &folder, &builds);
                });
            }
        });
        Ok(Server { root: root.to_owned(), dest, address, version, inputs: BTreeSet::new(), seen: None })
    }

    /// What to open in a browser.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Rebuilds the book if a file changed since the last call; `None` if none did. After an error the pages stay.
    pub fn poll(&mut self, figures: &dyn FigureSource) -> Option<Result<Built, BookErrors>> {
        let now = self.files();
        if self.seen.as_ref() == Some(&now) {
            return None;
        }
        let built = build(&self.root, Some(&self.dest), figures);
        if let Ok(built) = &built {
            self.inputs.clone_from(&built.inputs);
            self.version.fetch_add(1, Ordering::SeqCst);
        }
        // The first build tells which sources to watch.
        self.seen = Some(if self.seen.is_none() { self.files() } else { now });
        Some(built)
    }

    fn files(&self) -> BTreeMap<PathBuf, (SystemTime, u64)> {
        let mut files = BTreeMap::new();
        for folder in ["book", SNAPSHOTS, RECORDS] {
            stamp(&self.root.join(folder), &mut files);
        }
        for path in &self.inputs {
            stamp(path, &mut files);
        }
        files
    }
}

/// Time and length of a file, or of all files in a folder.
fn stamp(path: &Path, files: &mut BTreeMap<PathBuf, (SystemTime, u64)>) {
    let Ok(metadata) = fs::metadata(path) else { return };
    if metadata.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            stamp(&entry.path(), files);
        }
    } else {
        let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        files.insert(path.to_owned(), (changed, metadata.len()));
    }
}

fn answer(
    mut stream: TcpStream,
    address: SocketAddr,
    dest: &Path,
    version: &AtomicU64,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new((&stream).take(REQUEST_BYTES)).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut host = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((key, value)) = line.split_once(':')
            && key.eq_ignore_ascii_case("host")
        {
            host = value.trim().to_owned();
        }
    }
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    // A page from elsewhere could reach this server under a name of its own.
    let port = address.port();
    if host != format!("127.0.0.1:{port}") && host != format!("localhost:{port}") {
        return respond(
            &mut stream,
            "403 Forbidden",
            "text/plain",
            b"this server answers to 127.0.0.1 only\n",
        );
    }
    if method != "GET" {
        return respond(&mut stream, "405 Method Not Allowed", "text/plain", b"only GET\n");
    }
    if let Some(shown) = target.strip_prefix("/.reload?") {
        return reload(&mut stream, shown, version);
    }
    let Some(path) = file_for(dest, target) else {
        let text = b"There is no such page. If this is the first page you asked for, the book has an error: see the terminal.\n";
        return respond(&mut stream, "404 Not Found", "text/plain; charset=utf-8", text);
    };
    let mut bytes = fs::read(&path)?;
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    if kind.starts_with("text/html") {
        let number = version.load(Ordering::SeqCst);
        // Only here: the files on disk are those of a plain build.
        bytes.extend_from_slice(
            format!(
                "<script>new EventSource('/.reload?{number}').onmessage=()=>location.reload()</script>\n"
            )
            .as_bytes(),
        );
    }
    respond(&mut stream, "200 OK", kind, &bytes)
}

/// The file of the book that a request means. Only plain names lead on from `dest`, and a link out of it
/// doesn't count.
fn file_for(dest: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?;
    let path = decode(path.strip_prefix('/')?);
    if path.contains(['\\', '\0', ':']) {
        return None;
    }
    let relative = Path::new(&path);
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let mut full = dest.join(relative);
    if full.is_dir() {
        full.push("index.html");
    }
    let full = full.canonicalize().ok()?;
    (full.is_file() && full.starts_with(dest.canonicalize().ok()?)).then_some(full)
}

fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)?;
    stream.flush()
}

/// Keeps the line open until the book is newer than the page that asks.
fn reload(stream: &mut TcpStream, shown: &str, version: &AtomicU64) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n")?;
    while version.load(Ordering::SeqCst).to_string() == shown {
        thread::sleep(PAUSE);
        // A comment: fails once the page is gone, which ends this thread.
        stream.write_all(b":\n\n")?;
        stream.flush()?;
    }
    stream.write_all(b"data: reload\n\n")?;
    stream.flush()
}
