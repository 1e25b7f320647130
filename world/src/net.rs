//! Devices and routes.

/// The network as helpers see it.
#[derive(Debug, Clone, Default)]
pub struct Net {
    /// Network devices.
    pub devices: Vec<Device>,
    /// What `bpf_fib_lookup` consults.
    pub routes: Vec<Route>,
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
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Destination prefix.
    pub to: std::net::IpAddr,
    /// Its length in bits.
    pub prefix: u8,
    /// Next hop; `None` if the destination is on the link.
    pub via: Option<std::net::IpAddr>,
    /// Device it leaves by.
    pub device: u32,
}
