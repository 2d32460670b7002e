//! The shape of the source: who may know whom, and what the core never does.
//!
//! Each rule looks at lines of `src/` with comments, literals and test modules taken out, and names the file, the line
//! and the reason when one is broken. The rules are functions of text, and are themselves tested on text that
//! breaks them.

#[path = "common/sources.rs"]
mod sources;

use std::collections::BTreeSet;

use sources::{Source, read};

/// What each module may import from this crate. The layers from the bottom up; `*` is everything.
const LAYERS: [(&str, &[&str]); 17] = [
    ("time", &[]),
    ("wire", &["time"]),
    ("table", &["time"]),
    ("frame", &["time", "wire", "table", "verdict", "trace"]),
    ("verdict", &["time", "wire", "table", "frame"]),
    ("trace", &["time", "wire", "table", "frame", "verdict"]),
    // the header beside a frame speaks of frames, unlike those within it; nothing below the ports knows it
    ("wire::vnet", &["time", "wire", "frame", "verdict"]),
    ("bridge", &["time", "wire", "table", "frame", "verdict", "trace"]),
    ("router", &["time", "wire", "table", "frame", "verdict", "trace"]),
    ("fabric", &["time", "wire", "table", "frame", "verdict", "trace", "bridge", "router"]),
    ("port", &["time", "wire", "table", "frame", "verdict", "trace"]),
    // the answers of `show` are plain values (`control::view`) that the engine fills in
    (
        "engine",
        &[
            "time",
            "wire",
            "table",
            "frame",
            "verdict",
            "trace",
            "bridge",
            "router",
            "fabric",
            "port",
            "control::view",
        ],
    ),
    ("sim", &["time", "wire", "table", "frame", "verdict", "trace", "bridge", "router", "fabric"]),
    ("control", &["*"]),
    ("lab", &["*"]),
    ("cli", &["*"]),
    ("main", &["*"]),
];

/// Who alone may import these: nobody but `main` knows the command line, life does not depend on the simulator, and
/// only ports know what lies beside a frame.
const NEVER_IMPORTED: [(&str, &[&str]); 3] = [("cli", &["main"]), ("sim", &[]), ("wire::vnet", &["port"])];

/// The modules that are a pure function of frames and time.
const CORE: [&str; 9] = ["time", "wire", "table", "frame", "verdict", "trace", "bridge", "router", "fabric"];

/// What the core never says, and why.
const NOT_IN_CORE: [(&str, &str); 25] = [
    ("std::fs", "the core does no I/O"),
    ("std::io", "the core does no I/O"),
    ("std::os", "the core does no I/O"),
    ("std::process", "the core does no I/O"),
    ("std::env", "the core reads no environment"),
    ("libc::", "the core makes no system call"),
    ("rustix::", "the core makes no system call"),
    ("TcpStream", "the core does no I/O"),
    ("TcpListener", "the core does no I/O"),
    ("UdpSocket", "the core does no I/O"),
    ("println!", "the core does no I/O"),
    ("print!", "the core does no I/O"),
    ("dbg!", "the core does no I/O"),
    ("Instant", "time is an argument"),
    ("SystemTime", "time is an argument"),
    ("Mutex", "the core takes no lock"),
    ("RwLock", "the core takes no lock"),
    ("Atomic", "the core shares nothing"),
    ("Cell<", "the core has no hidden state"),
    ("thread", "the core knows no threads"),
    ("HashMap", "its order differs from run to run; use `table`"),
    ("HashSet", "its order differs from run to run; use `table`"),
    ("RandomState", "a key is an argument, so that runs can be had again"),
    ("dyn ", "devices are a closed set: match"),
    ("panic!", "no input may stop the switch"),
];

/// What takes memory for a frame; each use in the core must be one of [`ALLOCATIONS`].
const ALLOCATING: [&str; 12] = [
    "Box::new",
    "vec!",
    "format!",
    ".to_vec()",
    ".to_owned()",
    ".to_string()",
    "String::",
    ".collect",
    "with_capacity",
    "into_boxed_slice",
    "Rc::new",
    "Arc::new",
];

/// Where the core takes memory: the function, and why that is not once per frame.
const ALLOCATIONS: &[(&str, &str, &str)] = &[
    ("src/bridge/fdb.rs", "stations", "an answer to the user"),
    ("src/bridge/guard/flap.rs", "configure", "when the user asks for it"),
    ("src/bridge/group.rs", "queriers", "an answer to the user"),
    ("src/bridge/manage/legs.rs", "detach", "when a leg goes"),
    ("src/bridge/manage/legs.rs", "settle_host", "when a host's leg comes, goes or changes"),
    ("src/bridge/manage/legs.rs", "take_stock", "a set of fixed size, when a leg changes"),
    ("src/bridge/manage/stations.rs", "add_station", "a station the user sets"),
    ("src/bridge/manage/vlans.rs", "move_default_pvid", "when the user says so"),
    ("src/bridge/manage/vlans.rs", "vlans", "an answer to the user"),
    ("src/bridge/multicast/show.rs", "entries", "an answer to the user"),
    ("src/bridge/multicast/show.rs", "routers", "an answer to the user"),
    ("src/bridge/neighbour/table.rs", "entries", "an answer to the user"),
    ("src/bridge/outbox.rs", "default", "all the room that mail will ever need, at birth"),
    ("src/bridge/outbox.rs", "extract", "when a device moves to another fabric"),
    ("src/fabric/explain.rs", "explain", "when the user asks"),
    ("src/fabric/graph.rs", "join", "when a link is made or goes"),
    ("src/fabric/graph.rs", "joins", "when a link is made"),
    ("src/fabric/routers.rs", "add_router", "a router of the user's"),
    ("src/fabric/views.rs", "each_leg", "an answer to the user"),
    ("src/fabric/views.rs", "groups", "an answer to the user"),
    ("src/fabric/views.rs", "queriers", "an answer to the user"),
    ("src/fabric/views.rs", "routers", "an answer to the user"),
    ("src/fabric/views.rs", "stations", "an answer to the user"),
    ("src/frame/batch.rs", "large_buffer", "a buffer of a bounded number, lent again ever after"),
    ("src/frame/batch.rs", "new", "all the room a batch will ever need, at birth"),
    ("src/frame/mod.rs", "copy_of", "for tests, tools and rare originations"),
    ("src/router/fragment/blocks.rs", "lend", "a block of a bounded number, lent again ever after"),
    ("src/router/fragment/gather.rs", "new", "all buckets there will ever be, at birth"),
    ("src/router/lanes.rs", "default", "all the room there will ever be, at birth"),
    ("src/router/manage.rs", "attach", "when a leg changes"),
    ("src/router/manage.rs", "detach", "when a leg goes"),
    ("src/router/manage.rs", "set_policy", "when rules change"),
    ("src/router/mod.rs", "new", "all the room that packets in the making need, at birth"),
    ("src/router/nat/sessions.rs", "new", "counts of a fixed number, at birth"),
    ("src/router/neighbour/mod.rs", "list", "an answer to the user"),
    ("src/router/policy/text/mod.rs", "counted", "an answer to the user"),
    ("src/router/policy/text/mod.rs", "line", "an answer to the user"),
    ("src/router/routes.rs", "list", "an answer to the user"),
    ("src/table/hints.rs", "default", "an array of fixed size, at birth"),
    ("src/wire/mac.rs", "deserialize", "an address the user wrote"),
    ("src/wire/mac.rs", "from_str", "an address the user wrote"),
];

/// The longest file a reader should have to keep in mind.
const LINES_MAX: usize = 500;

/// A rule is broken.
type Finding = String;

#[test]
fn imports_point_one_way() {
    report(&sources(), imports);
}

#[test]
fn the_core_is_a_pure_function() {
    report(&sources(), impurities);
}

#[test]
fn the_core_takes_memory_only_where_it_is_said() {
    let sources = sources();
    report(&sources, |source| allocations(source).into_iter().filter_map(|(_, finding)| finding).collect());
    let used: BTreeSet<_> = sources.iter().flat_map(allocations).filter_map(|(used, _)| used).collect();
    for (at, (file, function, _)) in ALLOCATIONS.iter().enumerate() {
        assert!(used.contains(&at), "{file}: `{function}` takes no memory any more: take it off the list");
    }
}

#[test]
fn unsafe_has_one_home() {
    report(&sources(), unsafety);
}

#[test]
fn files_introduce_themselves_and_end_in_time() {
    report(&sources(), manners);
}

#[test]
fn nothing_is_left_undone() {
    let mut all = sources();
    all.extend(read("tests"));
    all.extend(read("benches"));
    report(&all, leftovers);
}

fn imports(source: &Source) -> Vec<Finding> {
    if is_tests(&source.path) {
        return vec![];
    }
    let module = module(&source.path);
    let special =
        source.path.strip_prefix("src/").unwrap_or_default().trim_end_matches(".rs").replace('/', "::");
    let of = |wanted: &str| LAYERS.iter().find(|(name, _)| *name == wanted);
    let Some((_, allowed)) = of(&special).or_else(|| of(module)) else {
        return match module {
            "lib" => vec![],
            _ => vec![format!("{}: `{module}` has no place among the layers: give it one here", source.path)],
        };
    };
    let mut findings = Vec::new();
    for (number, line) in code(&source.text) {
        if line.contains("super::super") || (is_root(&source.path) && line.contains("super::")) {
            findings.push(finding(
                source,
                number,
                "`super::` leaves the module: write `crate::`, so that it shows",
            ));
        }
        for path in crate_paths(&line) {
            let first = path.split("::").next().unwrap_or_default();
            let fits = |allowed: &&str| {
                *allowed == "*" || path == *allowed || path.starts_with(&format!("{allowed}::"))
            };
            let reserved = NEVER_IMPORTED.iter().find(|(name, _)| within(&path, name));
            let barred = reserved.is_some_and(|(_, to)| !to.contains(&module));
            if first != module && (barred || !allowed.iter().any(fits)) {
                let reason =
                    format!("`{module}` may not know `{path}`: imports point one way (ARCHITECTURE.md)");
                findings.push(finding(source, number, &reason));
            }
        }
    }
    findings
}

fn impurities(source: &Source) -> Vec<Finding> {
    if !is_core(&source.path) {
        return vec![];
    }
    let mut findings = Vec::new();
    for (number, line) in code(&source.text) {
        for (word, reason) in NOT_IN_CORE {
            if contains_word(&line, word) {
                findings.push(finding(source, number, &format!("`{}` in the core: {reason}", word.trim())));
            }
        }
    }
    findings
}

/// Every place where the core takes memory: the entry of [`ALLOCATIONS`] that allows it, or what to say.
fn allocations(source: &Source) -> Vec<(Option<usize>, Option<Finding>)> {
    if !is_core(&source.path) {
        return vec![];
    }
    let mut function = String::new();
    let mut places = Vec::new();
    for (number, line) in code(&source.text) {
        if let Some(name) = function_name(&line) {
            function = name.to_owned();
        }
        for word in ALLOCATING {
            if !contains_word(&line, word) {
                continue;
            }
            let allowed =
                ALLOCATIONS.iter().position(|(file, name, _)| *file == source.path && *name == function);
            let text = format!(
                "`{word}` in `{function}`: the core takes no memory per frame; if this is once in a \
                                life, say so in tests/architecture.rs"
            );
            places.push((allowed, allowed.is_none().then(|| finding(source, number, &text))));
        }
    }
    places
}

fn unsafety(source: &Source) -> Vec<Finding> {
    if source.path == "src/port/sys.rs" {
        return vec![];
    }
    let lines = code(&source.text);
    let bad =
        lines.iter().filter(|(_, line)| contains_word(line, "unsafe") || line.contains("allow(unsafe_code"));
    bad.map(|(number, _)| finding(source, *number, "every `unsafe` lives in src/port/sys.rs")).collect()
}

fn manners(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.text.starts_with("//! ") {
        findings.push(finding(
            source,
            1,
            "a module opens with `//!`: how it works, why so, what it never does",
        ));
    }
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        findings.push(finding(
            source,
            lines,
            &format!("{lines} lines: a file of over {LINES_MAX} does two things"),
        ));
    }
    findings
}

fn leftovers(source: &Source) -> Vec<Finding> {
    let words = ["todo!", "unimplemented!", "#[ignore", "FIXME", "XXX"];
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for word in words {
            // in this file they stand in quotes
            if line.contains(word)
                && !line.contains(&format!("\"{word}"))
                && source.path != "tests/architecture.rs"
            {
                findings.push(finding(source, index + 1, &format!("`{word}`: what is delivered is done")));
            }
        }
    }
    findings
}

/// The top module a file belongs to.
fn module(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap_or(path);
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// Whether it is a file of the core that is not all tests.
fn is_core(path: &str) -> bool {
    CORE.contains(&module(path)) && !is_tests(path)
}

/// Whether it is a file that is all tests.
fn is_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Whether `super` is the root of the crate there.
fn is_root(path: &str) -> bool {
    let path = path.strip_prefix("src/").unwrap_or(path);
    !path.contains('/') || path.ends_with("/mod.rs") && path.matches('/').count() == 1
}

/// The numbered lines that are code: without tests, which come last, and without comments and literals.
fn code(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = |at: &usize| {
        lines[*at].trim() == "#[cfg(test)]" && lines.get(at + 1).is_some_and(|l| l.starts_with("mod "))
    };
    let end = (0..lines.len()).find(tests).unwrap_or(lines.len());
    let numbered = lines[..end].iter().enumerate();
    numbered.map(|(index, line)| (index + 1, without_comment(&without_literals(line)))).collect()
}

fn without_comment(line: &str) -> String {
    line.split("//").next().unwrap_or_default().to_owned()
}

/// The line with the insides of its string literals gone.
fn without_literals(line: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut escaped) = (false, false);
    let mut last = ' ';
    for c in line.chars() {
        // '"' is a character, not the start of a string
        if c == '"' && !escaped && (inside || last != '\'') {
            inside = !inside;
        } else if !inside {
            out.push(c);
        }
        escaped = inside && c == '\\' && !escaped;
        last = c;
    }
    out
}

/// The paths behind every `crate::` of a line: `crate::{a::b, c}` are two.
fn crate_paths(line: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for name in ["crate::", "vswitchd::"] {
        for (at, _) in line.match_indices(name) {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = &line[at + name.len()..];
            match rest.strip_prefix('{') {
                Some(group) => {
                    paths.extend(group.split([',', '}']).map(head).filter(|path| !path.is_empty()))
                }
                None => paths.push(head(rest)),
            }
        }
    }
    paths
}

/// Whether a path leads to a module or into it.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The path at the beginning of a text.
fn head(text: &str) -> String {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    text[..end].trim_end_matches(':').to_owned()
}

fn function_name(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("fn ")?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    (end > 0).then(|| &rest[..end])
}

/// Whether the word stands in the line, and not within a longer one.
fn contains_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let joined_before = word.starts_with(part) && line[..at].ends_with(part);
        let joined_after =
            word.ends_with(part) && word != "Atomic" && line[at + word.len()..].starts_with(part);
        !joined_before && !joined_after
    })
}

fn finding(source: &Source, line: usize, reason: &str) -> Finding {
    format!("{}:{line}: {reason}", source.path)
}

fn sources() -> Vec<Source> {
    let sources = read("src");
    assert!(sources.len() > 20, "found only {} files: is this run in the project's folder?", sources.len());
    sources
}

#[track_caller]
fn report(sources: &[Source], rule: impl Fn(&Source) -> Vec<Finding>) {
    let findings: Vec<_> = sources.iter().flat_map(rule).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// The rules see what breaks them, and nothing else.
mod planted {
    use super::*;

    fn found(rule: impl Fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> usize {
        rule(&Source { path: path.into(), text: text.into() }).len()
    }

    #[test]
    fn wrong_imports_are_found() {
        let table = [
            ("src/bridge/fdb.rs", "use crate::frame::PortId;", 0, "downwards"),
            ("src/bridge/fdb.rs", "use crate::fabric::Fabric;", 1, "upwards"),
            ("src/bridge/fdb.rs", "let x = crate::port::Pool::default();", 1, "not only in `use`"),
            ("src/bridge/fdb.rs", "use crate::{frame::PortId, engine::Engine};", 1, "in a group"),
            ("src/bridge/fdb.rs", "// as crate::fabric does", 0, "a comment"),
            ("src/bridge/fdb.rs", "#[cfg(test)]\nmod tests {\nuse crate::sim::World;", 0, "tests may"),
            ("src/bridge/tests/trees.rs", "use crate::sim::World;", 0, "wherever they are"),
            ("src/bridge/fdb.rs", "use super::Bridge;", 0, "within the module"),
            ("src/bridge/mod.rs", "use super::fabric;", 1, "by the back door"),
            ("src/bridge/fdb.rs", "use super::super::fabric;", 1, "by the cellar"),
            ("src/port/tap.rs", "use crate::fabric::Fabric;", 1, "ports know frames only"),
            (
                "src/engine/mod.rs",
                "use crate::{port::Port, fabric::Fabric, control::view::View};",
                0,
                "the one that knows both",
            ),
            ("src/engine/mod.rs", "use crate::control::plan::Plan;", 1, "but not the plan"),
            ("src/lab/mod.rs", "use crate::cli::Args;", 1, "nobody knows the command line"),
            ("src/control/mod.rs", "use crate::sim::World;", 1, "life does not depend on the simulator"),
            ("src/main.rs", "vswitchd::cli::main()", 0, "but main"),
            ("src/bridge/fdb.rs", "use crate::wire::vnet::decode;", 1, "what lies beside a frame"),
            ("src/wire/vnet.rs", "use crate::frame::Offload;", 0, "which speaks of frames"),
            ("src/wire/mac.rs", "use crate::frame::PortId;", 1, "what lies within does not"),
            ("src/gadget.rs", "", 1, "a module without a place"),
        ];
        for (path, text, findings, why) in table {
            assert_eq!(found(imports, path, text), findings, "{why}: {text}");
        }
    }

    #[test]
    fn impure_code_is_found() {
        let table = [
            ("let t = Instant::now();", 1, "a clock"),
            ("let c: AtomicU64;", 1, "a shared counter"),
            ("let instantly = Instantaneous;", 0, "a word is a word"),
            ("println!(\"{x}\")", 1, "output; `print!` within `println!` counts once"),
            ("let why = \"no Mutex here\";", 0, "text"),
            ("use std::net::Ipv4Addr;", 0, "an address is a value"),
            ("let s: std::net::UdpSocket;", 1, "a socket is not"),
        ];
        for (text, findings, why) in table {
            assert_eq!(found(impurities, "src/bridge/learn.rs", text), findings, "{why}: {text}");
            assert_eq!(found(impurities, "src/engine/mod.rs", text), 0, "the edge may");
        }
    }

    #[test]
    fn memory_is_found() {
        let findings = |path: &str, text: &str| {
            found(
                |source| allocations(source).into_iter().filter_map(|(_, finding)| finding).collect(),
                path,
                text,
            )
        };
        assert_eq!(findings("src/bridge/mod.rs", "fn forward() {\nlet v = vec![1];\n}"), 1);
        assert_eq!(findings("src/frame/mod.rs", "fn copy_of() {\nlet v = vec![1];\n}"), 0, "allowed there");
        assert_eq!(findings("src/frame/mod.rs", "fn parse() {\nlet v = vec![1];\n}"), 1, "but not elsewhere");
        assert_eq!(findings("src/cli/mod.rs", "let v = vec![1];"), 0, "nor outside the core");
    }

    #[test]
    fn other_findings() {
        assert_eq!(found(unsafety, "src/port/tap.rs", "//! x\nunsafe { f() }"), 1);
        assert_eq!(found(unsafety, "src/port/sys.rs", "//! x\nunsafe { f() }"), 0, "its home");
        assert_eq!(found(unsafety, "src/port/tap.rs", "let unsafely = 1; // unsafe"), 0, "a word is a word");
        assert_eq!(found(manners, "src/time.rs", "use std::fmt;"), 1, "no introduction");
        assert_eq!(
            found(manners, "src/time.rs", &format!("//! x\n{}", "\n".repeat(LINES_MAX))),
            1,
            "too long"
        );
        assert_eq!(found(leftovers, "src/time.rs", "fn f() { todo!() }"), 1);
        assert_eq!(found(leftovers, "tests/x.rs", "#[ignore]\nfn f() {} // FIXME later"), 2);
    }
}
