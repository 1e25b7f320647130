//! Network devices.

/// What precedes packets on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// An Ethernet header; the loopback device has one too.
    Ethernet,
    /// Nothing: packets begin with their network header (tunnels, `tun`).
    Bare,
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `ifindex`.
    pub index: u32,
    /// Name, such as `eth0`.
    pub name: String,
    /// Hardware address.
    pub mac: [u8; 6],
    /// MTU in bytes.
    pub mtu: u32,
    /// Whether it is up.
    pub up: bool,
    /// What precedes packets on it.
    pub link: Link,
    /// `net.ipv4.conf.NAME.forwarding`.
    pub forwarding4: bool,
    /// `net.ipv6.conf.NAME.forwarding`.
    pub forwarding6: bool,
    /// Its addresses.
    pub addresses: Vec<std::net::IpAddr>,
}

impl Device {
    /// The number of the loopback device.
    pub const LOOPBACK: u32 = 1;

    /// An Ethernet device that is up, with an MTU of 1500 bytes and no addresses, and that does not forward.
    pub fn new(index: u32, name: impl Into<String>) -> Device {
        let last = index.to_be_bytes();
        Device {
            index,
            name: name.into(),
            mac: [2, 0, last[0], last[1], last[2], last[3]],
            mtu: 1500,
            up: true,
            link: Link::Ethernet,
            forwarding4: false,
            forwarding6: false,
            addresses: Vec::new(),
        }
    }

    /// `lo`, up.
    pub fn loopback() -> Device {
        Device { mac: [0; 6], mtu: 65536, ..Device::new(Device::LOOPBACK, "lo") }
    }

    /// Bytes of the header that precedes packets (`hard_header_len`).
    pub fn header_len(&self) -> u32 {
        match self.link {
            Link::Ethernet => 14,
            Link::Bare => 0,
        }
    }
}
