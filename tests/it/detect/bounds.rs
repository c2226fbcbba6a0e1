//! Large trees: the work is bounded, and what was left out is said.

use std::cell::Cell;
use std::time::Instant;

use wooo::detect::{NoteKind, detect};
use wooo::files::{Entry, Error, FileTree, Kind, MemoryTree};

/// Counts what is read.
struct Counting {
    tree: MemoryTree,
    reads: Cell<usize>,
}

impl FileTree for Counting {
    fn kind(&self, path: &str) -> Result<Option<Kind>, Error> {
        self.tree.kind(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Error> {
        self.reads.set(self.reads.get() + 1);
        self.tree.read(path, limit)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, Error> {
        self.tree.list(path)
    }
}

/// 10,000 Python files of 100 lines, and the apps of a monorepo among them.
fn large_tree() -> MemoryTree {
    let line = "def handler(request):\n    return render(request, 'page.html', {'port': 8000})\n";
    let mut tree = MemoryTree::default();
    for file in 0..10_000 {
        tree.insert(
            format!("pkg{:02}/mod{:02}/file{file}.py", file % 100, file / 100 % 10),
            line.repeat(50).into_bytes(),
        );
    }
    tree.insert("requirements.txt", b"flask\n".to_vec());
    tree.insert("pkg00/app.py", b"app = Flask(__name__)\n".to_vec());
    tree
}

#[test]
fn a_tree_of_ten_thousand_files_costs_few_reads() {
    let tree = Counting { tree: large_tree(), reads: Cell::new(0) };
    let started = Instant::now();
    let found = detect(&tree, "").unwrap();
    println!("10,000 files: {:?}, {} reads", started.elapsed(), tree.reads.get());
    assert_eq!(found.entry_point.unwrap().target, "pkg00.app:app");
    assert!(tree.reads.get() < 200, "{} reads", tree.reads.get());
}

#[test]
fn a_tree_of_many_apps_is_cut_and_says_so() {
    let mut files = MemoryTree::default();
    for app in 0..500 {
        files.insert(format!("apps/a{app:03}/requirements.txt"), b"flask\n".to_vec());
        for file in 0..60 {
            files.insert(format!("apps/a{app:03}/f{file}.py"), b"x = 1\n".to_vec());
        }
    }
    files.insert("requirements.txt", b"flask\n".to_vec());
    let tree = Counting { tree: files, reads: Cell::new(0) };
    let found = detect(&tree, "").unwrap();
    let bounds: Vec<_> =
        found.notes.iter().filter(|note| note.kind == NoteKind::Bound).map(|note| note.text.as_str()).collect();
    assert_eq!(
        bounds,
        [
            "only the first 20000 names were looked at",
            "only the first 32 of 320 possible app folders were looked at",
            "only the first 256 source files were scanned",
        ]
    );
    assert!(tree.reads.get() < 1500, "{} reads", tree.reads.get());
}
