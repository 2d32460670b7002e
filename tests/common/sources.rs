//! The project's own source, to be held against what is said of it.

use std::path::Path;

/// A source file.
pub(crate) struct Source {
    /// Its path from the project's folder.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

/// Every Rust file in a folder of the project, by path.
pub(crate) fn read(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("source is text");
                let path = path.strip_prefix(root).expect("it was found there").display().to_string();
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}
