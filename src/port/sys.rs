//! Every `unsafe` of the project, each wrapped in a safe function.

#![allow(unsafe_code)]

// ---- TAP devices ----------------------------------------------------------------------------------------------

// ---- packet sockets -------------------------------------------------------------------------------------------

// ---- reading and writing frames -------------------------------------------------------------------------------

// ---- namespaces and processes ---------------------------------------------------------------------------------

// ---- the control socket ---------------------------------------------------------------------------------------

/// The effective user of the process that connected the other end of a Unix socket.
///
/// Not rustix's function of that name: it reads the process id into a type that cannot be zero, which it is when the
/// peer lives outside our PID namespace.
pub fn peer_uid(socket: std::os::fd::BorrowedFd<'_>) -> std::io::Result<u32> {
    use std::os::fd::AsRawFd;
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `peer`, a plain C struct that outlives the call and for
    // which every bit pattern is valid. Needed because no safe crate reads SO_PEERCRED soundly.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(peer.uid) } else { Err(std::io::Error::last_os_error()) }
}
