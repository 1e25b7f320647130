//! Devices, routes, neighbours, sockets.

mod device;
mod route;
mod socket;
mod socket_object;

pub use device::{Device, Link};
pub use route::{Found, Lookup, Neighbour, Route, RouteKind, Tables};
pub use socket::{Flow, Socket, SocketState, Sockets};

/// The network as helpers see it.
#[derive(Debug, Clone)]
pub struct Net {
    /// Network devices.
    pub devices: Vec<Device>,
    /// What `bpf_fib_lookup` consults.
    pub routes: Vec<Route>,
    /// Whose hardware addresses are known.
    pub neighbours: Vec<Neighbour>,
    /// Sockets.
    pub sockets: Sockets,
    /// `bpf_get_netns_cookie`: which network namespace this is.
    pub namespace_cookie: u64,
}

impl Default for Net {
    /// A namespace with the loopback device and nothing else, as the first one of a machine.
    fn default() -> Net {
        Net {
            devices: vec![Device::loopback()],
            routes: Vec::new(),
            neighbours: Vec::new(),
            sockets: Sockets::default(),
            namespace_cookie: 1,
        }
    }
}

impl Net {
    /// The device with this number.
    pub fn device(&self, index: u32) -> Option<&Device> {
        self.devices.iter().find(|device| device.index == index)
    }
}
