//! Sockets as the kernel's own structs.

use std::net::IpAddr;

use skep_btf::Kind;

use super::Socket;
use crate::{KernelObjectError, World};

impl World {
    /// The address of the kernel object that a socket is, as a struct that begins with `struct sock_common` (`sock`, `tcp_sock`,
    /// `tcp_request_sock` ...). It is made when it is first asked for, and says then what the socket says.
    ///
    /// # Errors
    /// A target without BTF, without this type, or with other fields in it.
    pub fn socket_object(&mut self, cookie: u64, ty: &'static str) -> Result<u64, KernelObjectError> {
        if let Some(addr) = self.net.sockets.object(cookie, ty) {
            return Ok(addr);
        }
        let addr = self.new_object(ty)?;
        self.net.sockets.set_object(cookie, ty, addr);
        let Some(socket) = self.net.sockets.get(cookie).cloned() else {
            return Ok(addr);
        };
        self.put(addr, "sock_common", "skc_cookie.counter", &cookie.to_le_bytes())?;
        for (path, bytes) in common(&socket) {
            self.put(addr, "sock_common", path, &bytes)?;
        }
        if socket.state.is_full() {
            self.put(addr, "sock", "sk_protocol", &socket.protocol.to_le_bytes())?;
            self.put(addr, "sock", "sk_type", &socket.kind.to_le_bytes())?;
            self.put(addr, "sock", "sk_mark", &socket.mark.to_le_bytes())?;
            self.put(addr, "sock", "sk_priority", &socket.priority.to_le_bytes())?;
        }
        if ty == "tcp_sock" {
            for (name, value) in &socket.tcp {
                self.put(addr, ty, counter(name), &value.to_le_bytes())?;
            }
        }
        Ok(addr)
    }

    /// Writes as many bytes as a field of the struct `ty`, which the object begins with, has.
    fn put(&mut self, addr: u64, ty: &str, path: &str, bytes: &[u8]) -> Result<(), KernelObjectError> {
        let btf = self.target.btf().cloned().ok_or(KernelObjectError::NoBtf)?;
        let id = btf.find(ty, Kind::Struct).ok_or_else(|| KernelObjectError::NoType(ty.to_owned()))?;
        let place = btf.walk(id, path)?.place;
        let (_, block) = self.objects.get(addr).ok_or(KernelObjectError::NoObject(addr))?;
        let (offset, size) = (place.offset() as usize, place.size(&btf)? as usize);
        if let Some(bytes) = bytes.get(..size).filter(|_| offset + size <= block.len()) {
            block.write(offset, bytes);
        }
        Ok(())
    }
}

/// Where `struct tcp_sock` has what `struct bpf_tcp_sock` says.
fn counter(name: &str) -> &str {
    match name {
        "rtt_min" => "rtt_min.s[0].v",
        "icsk_retransmits" => "inet_conn.icsk_retransmits",
        same => same,
    }
}

/// Fields of `struct sock_common`.
fn common(socket: &Socket) -> Vec<(&'static str, Vec<u8>)> {
    let mut fields = vec![
        ("skc_family", (socket.family() as u16).to_le_bytes().to_vec()),
        ("skc_state", vec![socket.state as u8]),
        ("skc_bound_dev_if", socket.device.to_le_bytes().to_vec()),
        ("skc_num", socket.local.port().to_le_bytes().to_vec()),
        ("skc_dport", socket.remote.port().to_be_bytes().to_vec()),
    ];
    let ends = [(socket.local, "skc_rcv_saddr", "skc_v6_rcv_saddr"), (socket.remote, "skc_daddr", "skc_v6_daddr")];
    for (end, four, six) in ends {
        match end.ip() {
            IpAddr::V4(address) => fields.push((four, address.octets().to_vec())),
            IpAddr::V6(address) => fields.push((six, address.octets().to_vec())),
        }
    }
    fields
}
