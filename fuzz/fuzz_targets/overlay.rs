//! Kustomizations out of bytes: whatever stands in the files of a tree, a build of it ends in objects or in an error.
//!
//! The input is a text of files, each behind a line `=== path`. `fuzz/seeds` makes inputs of the cases of the tests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wooo::files::MemoryTree;
use wooo::overlay::{self, BuildOptions};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = text.split("=== ").filter_map(|part| part.split_once('\n'));
    let tree: MemoryTree = files.map(|(path, content)| (path.to_owned(), content.as_bytes().to_vec())).collect();
    if let Ok(objects) = overlay::build(&tree, "", &BuildOptions::default())
        && let Ok(written) = overlay::write(&objects)
    {
        // Not every output can be read again: kustomize writes some rare characters into blocks that end there.
        let _ = wooo::yaml::read_nodes(&written);
    }
});
