//! As much of the conntrack's netlink as it takes to forget all flows.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

/// `IPCTNL_MSG_CT_DELETE` of `NFNL_SUBSYS_CTNETLINK`.
const DELETE: u16 = 1 << 8 | 2;
const REQUEST_ACK: u16 = 1 | 4;

/// Forgets the flows of this thread's namespace.
pub(crate) fn flush() -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut message = Vec::new();
    message.extend(20u32.to_ne_bytes());
    message.extend([DELETE.to_ne_bytes(), REQUEST_ACK.to_ne_bytes()].concat());
    message.extend([1u32.to_ne_bytes(), 0u32.to_ne_bytes()].concat());
    // of any family, version 0, of no queue
    message.extend([0; 4]);
    socket.send(&message, 0)?;
    let mut answer = Vec::with_capacity(4096);
    socket.recv(&mut answer, 0)?;
    // behind the header, the acknowledgement begins with zero, or an error below it
    let code =
        answer.get(16..20).and_then(|bytes| bytes.first_chunk()).map(|bytes| i32::from_ne_bytes(*bytes));
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::other("no answer of netfilter")),
    }
}
