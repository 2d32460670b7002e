//! Every `unsafe` of the project, each wrapped in a safe function.

#![allow(unsafe_code)]

// ---- TAP devices ----------------------------------------------------------------------------------------------

// ---- packet sockets -------------------------------------------------------------------------------------------

// ---- reading and writing frames -------------------------------------------------------------------------------

// ---- namespaces and processes ---------------------------------------------------------------------------------

/// Gives the calling thread new namespaces of its own. A file table is never unshared, whatever `flags` say.
pub fn unshare(flags: rustix::thread::UnshareFlags) -> std::io::Result<()> {
    let flags = flags.difference(rustix::thread::UnshareFlags::FILES);
    // SAFETY: the only hazard is CLONE_FILES, after which threads disagree about what a descriptor is; it was
    // removed above. Needed because no crate offers new namespaces without that hazard in its signature.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}
