//! Every `unsafe` of the project, each wrapped in a safe function.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use crate::frame::Tag;

// ---- TAP devices ----------------------------------------------------------------------------------------------

/// Makes the freshly opened /dev/net/tun an interface with that name and those `IFF_` flags.
///
/// A name that is too long is cut: check it before.
pub fn tun_attach(tun: BorrowedFd<'_>, name: &str, flags: i32) -> io::Result<()> {
    // SAFETY: ifreq is plain old C data, and zero bytes are valid for all of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which lives until the call returns. No safe crate attaches a
    // TAP with IFF_VNET_HDR to a descriptor of ours.
    check(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })
}

/// Says which unfinished frames (`TUN_F_` bits) we take from the interface (V2).
pub fn tun_set_offload(tap: BorrowedFd<'_>, offloads: libc::c_uint) -> io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value.
    check(unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(offloads)) })
}

/// Says how long the virtio-net header is (V1).
pub fn tun_set_header_len(tap: BorrowedFd<'_>, len: usize) -> io::Result<()> {
    let len = len as libc::c_int;
    // SAFETY: TUNSETVNETHDRSZ reads one int, which lives until the call returns.
    check(unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const len) })
}

/// From `linux/if_tun.h`; libc does not have it.
const TUNSETQUEUE: libc::Ioctl = libc::_IOW::<libc::c_int>(b'T' as u32, 217);

/// Takes the queue that this descriptor is out of those that the kernel puts frames into. It can still be written to.
pub fn tun_detach_queue(queue: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: ifreq is plain old C data, and zero bytes are valid for all of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_ifru.ifru_flags = libc::IFF_DETACH_QUEUE as libc::c_short;
    // SAFETY: TUNSETQUEUE reads one ifreq, which lives until the call returns. No safe crate knows queues.
    check(unsafe { libc::ioctl(queue.as_raw_fd(), TUNSETQUEUE, &raw mut request) })
}

/// The descriptor that another crate's object gives up.
pub(crate) fn into_owned(object: impl IntoRawFd) -> OwnedFd {
    // SAFETY: IntoRawFd hands the descriptor over to whoever calls it. Needed because tun-tap's interface predates
    // OwnedFd.
    unsafe { OwnedFd::from_raw_fd(object.into_raw_fd()) }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

// ---- packet sockets -------------------------------------------------------------------------------------------

/// Sets one of the `PACKET_` options whose value is an int.
pub fn packet_set_option(socket: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `value`, which lives until the call returns. Neither rustix nor
    // socket2 knows the options of packet sockets.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, (&raw const value).cast(), len)
    })
}

/// Asks for one of the `PACKET_` options whose value is an int.
pub fn packet_option(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `value`, which lives until the call returns. As above.
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, (&raw mut value).cast(), &raw mut len)
    })?;
    Ok(value)
}

/// How many frames the kernel has dropped because the socket's queue was full, since this was last asked.
pub(crate) fn packet_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut len = size_of_val(&stats) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `stats`, a struct of integers that lives until the call returns.
    // Neither rustix nor socket2 knows the options of packet sockets.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut len,
        )
    })?;
    Ok(stats.tp_drops)
}

// ---- reading and writing frames -------------------------------------------------------------------------------

/// A message that [`packet_receive`] read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message {
    /// Bytes read, the virtio-net header included.
    pub len: usize,
    /// The VLAN tag that the kernel took out of the frame (V19).
    pub tag: Option<Tag>,
}

/// Reads one message into each of `buffers`, at most `N`, from `offset` on, until there are no more; returns how many.
///
/// The socket must be non-blocking. All bookkeeping is on the stack: nothing is allocated.
pub fn packet_receive<const N: usize>(
    socket: BorrowedFd<'_>,
    buffers: &mut [Box<[u8]>],
    offset: usize,
    messages: &mut [Message; N],
) -> io::Result<usize> {
    // SAFETY: arrays of plain old C data, for which zero bytes are valid: null pointers with length zero.
    let (mut headers, mut pieces, mut controls): ([libc::mmsghdr; N], [libc::iovec; N], [Control; N]) =
        unsafe { std::mem::zeroed() };
    let mut count = 0;
    let parts = headers.iter_mut().zip(&mut pieces).zip(&mut controls);
    for (((header, piece), control), buffer) in parts.zip(buffers) {
        let room = &mut buffer[offset..];
        *piece = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
        header.msg_hdr.msg_iov = piece;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_control = (&raw mut *control).cast();
        header.msg_hdr.msg_controllen = size_of::<Control>();
        count += 1;
    }
    // SAFETY: `headers[..count]` point at `pieces`, `controls` and `buffers`, none of which moves or is touched until
    // the call returns, and the lengths beside the pointers are theirs. No safe crate has recvmmsg.
    let read = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count,
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
    for (header, message) in headers[..read].iter().zip(messages) {
        *message = Message { len: header.msg_len as usize, tag: vlan_tag(&header.msg_hdr) };
    }
    Ok(read)
}

/// Room for one PACKET_AUXDATA message (40 bytes), aligned as a cmsghdr must be.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Finds the VLAN tag among the control messages that the kernel wrote for `header`.
fn vlan_tag(header: &libc::msghdr) -> Option<Tag> {
    // SAFETY: `packet_receive` passes headers whose msg_control points at a live `Control`, and the kernel has set
    // msg_controllen to what it wrote there; the macro stays within it.
    let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
    let whole = size_of::<libc::tpacket_auxdata>() + size_of::<libc::cmsghdr>();
    let ours = control.cmsg_level == libc::SOL_PACKET && control.cmsg_type == libc::PACKET_AUXDATA;
    if !ours || control.cmsg_len < whole {
        return None;
    }
    // SAFETY: the message is as long as an auxdata, of integers only, and is read without a claim to alignment.
    let aux = unsafe { libc::CMSG_DATA(control).cast::<libc::tpacket_auxdata>().read_unaligned() };
    let has = |bit: u32| aux.tp_status & bit != 0;
    let tpid = if has(libc::TP_STATUS_VLAN_TPID_VALID) { aux.tp_vlan_tpid } else { 0x8100 };
    has(libc::TP_STATUS_VLAN_VALID).then_some(Tag { tpid, tci: aux.tp_vlan_tci })
}

// ---- namespaces and processes ---------------------------------------------------------------------------------

/// Gives the calling thread new namespaces of its own. A file table is never unshared, whatever `flags` say.
pub fn unshare(flags: rustix::thread::UnshareFlags) -> io::Result<()> {
    let flags = flags.difference(rustix::thread::UnshareFlags::FILES);
    // SAFETY: the only hazard is CLONE_FILES, after which threads disagree about what a descriptor is; it was
    // removed above. Needed because no crate offers new namespaces without that hazard in its signature.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}

/// A network namespace that nobody else has, with nothing in it but a loopback interface that is down. It lives as long
/// as the descriptor, or anything inside.
pub fn new_network_namespace() -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let fresh = std::thread::spawn(|| -> io::Result<OwnedFd> {
        unshare(rustix::thread::UnshareFlags::NEWNET)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(rustix::fs::open("/proc/thread-self/ns/net", flags, Mode::empty())?)
    });
    fresh.join().map_err(|_| io::Error::other("the thread that made a network namespace panicked"))?
}

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
