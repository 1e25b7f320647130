//! What programs do to the kernel around them.

/// Something a program did that is not a return value, a record, a map or packet bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// `bpf_send_signal`, `bpf_send_signal_thread`.
    Signal {
        /// Thread or process it goes to.
        pid: u32,
        /// The signal.
        signal: u32,
        /// To the thread alone.
        thread: bool,
        /// `si_value`, where the program gave one.
        value: u64,
    },
    /// `bpf_override_return`: what the probed function returns instead of running.
    OverrideReturn(u64),
    /// `bpf_clone_redirect`: a copy of the packet went to a device.
    Clone {
        /// The device.
        ifindex: u32,
        /// Its receive side, not its transmit side.
        ingress: bool,
        /// The packet.
        data: Vec<u8>,
    },
    /// `bpf_bprm_opts_set`.
    BprmOptions(u64),
    /// `bpf_msg_apply_bytes`: what the program returns holds for so many bytes.
    ApplyBytes(u32),
    /// `bpf_msg_cork_bytes`: the program is to be called again when there are so many bytes.
    CorkBytes(u32),
    /// `bpf_tcp_send_ack`.
    Acknowledge {
        /// The cookie of the socket; 0 if it is a kernel object.
        socket: u64,
        /// The next byte that it expects.
        sequence: u32,
    },
    /// `bpf_sk_assign`, `bpf_sk_select_reuseport`: the socket with this cookie gets the packet or the connection; `None` takes the choice back.
    Assign(Option<u64>),
    /// `bpf_bind`: the address that the socket of the context connects from.
    Bind(std::net::SocketAddr),
    /// `bpf_setsockopt` on the socket with this cookie.
    SetSockOpt {
        /// The socket.
        cookie: u64,
        /// Level.
        level: u32,
        /// Option.
        name: u32,
        /// Value.
        value: Vec<u8>,
    },
    /// `bpf_rc_keydown`.
    RemoteKey {
        /// Protocol (`enum rc_proto`).
        protocol: u32,
        /// The key.
        scancode: u64,
        /// The toggle bit of the protocol.
        toggle: bool,
    },
    /// `bpf_rc_repeat`.
    RemoteRepeat,
    /// `bpf_rc_pointer_rel`: a movement.
    RemotePointer {
        /// To the right.
        x: i32,
        /// Down.
        y: i32,
    },
    /// `bpf_sock_destroy`.
    Destroy(u64),
}

/// Where a packet goes after `TC_ACT_REDIRECT` or `XDP_REDIRECT`: what the last call of a redirect helper said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To a device.
    Device {
        /// The device.
        ifindex: u32,
        /// Its receive side, not its transmit side.
        ingress: bool,
    },
    /// To the device's peer in another namespace.
    Peer {
        /// The device.
        ifindex: u32,
    },
    /// To a device, with the neighbour of the next hop as destination address.
    Neighbour {
        /// The device.
        ifindex: u32,
        /// The next hop; `None` takes it from a route for the packet.
        via: Option<std::net::IpAddr>,
    },
    /// To what an entry of a map names (device, CPU, AF_XDP socket, socket).
    Map {
        /// Name of the map.
        map: String,
        /// The key.
        key: Vec<u8>,
        /// To every device in the map.
        broadcast: bool,
        /// Flags of the helper, without the action.
        flags: u64,
    },
}
