//! Routes and neighbours.

use std::net::IpAddr;

use super::{Device, Net};

/// What becomes of packets that a route covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// They go to the next hop.
    Unicast,
    /// They are for this machine.
    Local,
    /// They are for everybody on the link.
    Broadcast,
    /// They are for a group.
    Multicast,
    /// They vanish.
    Blackhole,
    /// The sender is told that there is no way.
    Unreachable,
    /// The sender is told that it is not allowed.
    Prohibit,
}

/// A route with one next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Destination prefix.
    pub to: IpAddr,
    /// Its length in bits.
    pub prefix: u8,
    /// Next hop; `None` if the destination is on the link. A next hop of IPv6 may serve IPv4.
    pub via: Option<IpAddr>,
    /// Device it leaves by.
    pub device: u32,
    /// What becomes of packets.
    pub kind: RouteKind,
    /// Number of the table: [`Tables::LOCAL`], [`Tables::MAIN`], or another.
    pub table: u32,
    /// Metric: the lowest wins.
    pub metric: u32,
    /// Locked MTU (`mtu lock N`); `None` takes the device's.
    pub mtu: Option<u32>,
    /// Preferred source address (`src ADDR`).
    pub source: Option<IpAddr>,
    /// Whether packets are put into a tunnel on their way (`encap ...`).
    pub encapsulates: bool,
}

impl Route {
    /// A route of the main table to what is on the link of a device.
    pub fn new(to: IpAddr, prefix: u8, device: u32) -> Route {
        Route {
            to,
            prefix,
            via: None,
            device,
            kind: RouteKind::Unicast,
            table: Tables::MAIN,
            metric: 0,
            mtu: None,
            source: None,
            encapsulates: false,
        }
    }

    /// Whether it covers an address.
    pub fn covers(&self, addr: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let bits = u32::from(self.prefix).min(width);
            bits == 0 || (a ^ b) >> (width - bits) == 0
        };
        match (self.to, addr) {
            (IpAddr::V4(to), IpAddr::V4(addr)) => same(to.to_bits().into(), addr.to_bits().into(), 32),
            (IpAddr::V6(to), IpAddr::V6(addr)) => same(to.to_bits(), addr.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// The tables that a lookup goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// Those of a kernel without rules of its own: local, main, default.
    Rules,
    /// One.
    One(u32),
}

impl Tables {
    /// `RT_TABLE_LOCAL`.
    pub const LOCAL: u32 = 255;
    /// `RT_TABLE_MAIN`.
    pub const MAIN: u32 = 254;
    /// `RT_TABLE_DEFAULT`.
    pub const DEFAULT: u32 = 253;
}

/// What a route is looked up for.
#[derive(Debug, Clone, Copy)]
pub struct Lookup {
    /// The destination.
    pub to: IpAddr,
    /// The tables.
    pub tables: Tables,
    /// The device that packets are to leave by: IPv4 takes no route by another one, IPv6 prefers it among routes that are equal
    /// otherwise. `None` leaves the choice to the routes.
    pub device: Option<u32>,
}

/// A route with the device it leaves by.
#[derive(Debug, Clone, Copy)]
pub struct Found<'n> {
    /// The route.
    pub route: &'n Route,
    /// Its device; `None` for routes without one (blackhole and kin).
    pub device: Option<&'n Device>,
}

/// A neighbour whose hardware address is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Device it is reached by.
    pub device: u32,
    /// Its address.
    pub addr: IpAddr,
    /// Its hardware address.
    pub mac: [u8; 6],
}

impl Net {
    /// The route to a destination: of the longest prefix, and of these the lowest metric. Routes by devices that are down do not count.
    pub fn route(&self, lookup: &Lookup) -> Option<Found<'_>> {
        let groups: &[&[u32]] = match (lookup.tables, lookup.to) {
            // IPv4 keeps two tables in one trie as long as there are no rules, so that the longest prefix of both wins.
            (Tables::One(Tables::LOCAL | Tables::MAIN), IpAddr::V4(_)) => &[&[Tables::LOCAL, Tables::MAIN]],
            (Tables::One(table), _) => return self.route_in(lookup, &[table]),
            (Tables::Rules, IpAddr::V4(_)) => &[&[Tables::LOCAL, Tables::MAIN], &[Tables::DEFAULT]],
            (Tables::Rules, IpAddr::V6(_)) => &[&[Tables::LOCAL], &[Tables::MAIN]],
        };
        groups.iter().find_map(|tables| self.route_in(lookup, tables))
    }

    fn route_in(&self, lookup: &Lookup, tables: &[u32]) -> Option<Found<'_>> {
        let order = |route: &Route| tables.iter().position(|table| *table == route.table);
        let mut best: Option<(Found<'_>, _)> = None;
        for route in self.routes.iter().filter(|route| route.covers(lookup.to)) {
            let Some(place) = order(route) else { continue };
            let device = self.device(route.device);
            let leaves =
                matches!(route.kind, RouteKind::Unicast | RouteKind::Local | RouteKind::Broadcast | RouteKind::Multicast);
            let usable = !leaves || device.is_some_and(|device| device.up);
            let by_other = lookup.device.is_some_and(|wanted| wanted != route.device);
            let wanted = !by_other || !leaves || lookup.to.is_ipv6();
            let rank = (std::cmp::Reverse(route.prefix), place, route.metric, by_other);
            if usable && wanted && best.as_ref().is_none_or(|(_, best)| rank < *best) {
                best = Some((Found { route, device: device.filter(|_| leaves) }, rank));
            }
        }
        best.map(|(found, _)| found)
    }

    /// Whether there is a table of this number: those of the kernel, and those that a route is in.
    pub fn has_table(&self, table: u32) -> bool {
        matches!(table, Tables::LOCAL | Tables::MAIN) || self.routes.iter().any(|route| route.table == table)
    }

    /// The hardware address of a neighbour, if it is known.
    pub fn neighbour(&self, device: u32, addr: IpAddr) -> Option<[u8; 6]> {
        self.neighbours.iter().find(|known| known.device == device && known.addr == addr).map(|known| known.mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net() -> Net {
        let ip = |text: &str| text.parse().unwrap();
        let via = |to, prefix, device| Route { via: Some(ip("192.0.2.1")), ..Route::new(ip(to), prefix, device) };
        let mut net = Net::default();
        net.devices.extend([Device::new(2, "a"), Device::new(3, "b"), Device { up: false, ..Device::new(4, "c") }]);
        net.routes.extend([
            via("0.0.0.0", 0, 2),
            Route::new(ip("10.0.0.0"), 8, 3),
            Route { metric: 5, ..Route::new(ip("10.1.0.0"), 16, 2) },
            Route::new(ip("10.1.0.0"), 16, 3),
            Route::new(ip("10.1.1.0"), 24, 4),
            Route { table: 7, ..Route::new(ip("10.9.9.9"), 32, 2) },
            Route { kind: RouteKind::Blackhole, device: 0, ..Route::new(ip("10.2.0.0"), 16, 0) },
            Route::new(ip("fd00::"), 8, 2),
            Route::new(ip("fd12::"), 16, 2),
            Route::new(ip("fd12::"), 16, 3),
        ]);
        net
    }

    fn device(to: &str, tables: Tables, device: Option<u32>) -> Option<u32> {
        let net = net();
        net.route(&Lookup { to: to.parse().unwrap(), tables, device }).map(|found| found.route.device)
    }

    #[test]
    fn the_longest_prefix_then_the_lowest_metric() {
        assert_eq!(device("8.8.8.8", Tables::Rules, None), Some(2));
        assert_eq!(device("10.3.0.1", Tables::Rules, None), Some(3));
        assert_eq!(device("10.1.0.1", Tables::Rules, None), Some(3));
        assert_eq!(device("10.1.0.1", Tables::Rules, Some(2)), Some(2));
        assert_eq!(device("10.1.1.1", Tables::Rules, None), Some(3), "a route by a device that is down");
        assert_eq!(device("10.9.9.9", Tables::Rules, None), Some(3));
        assert_eq!(device("10.9.9.9", Tables::One(7), None), Some(2));
        assert_eq!(device("10.9.9.8", Tables::One(7), None), None);
        assert_eq!(device("10.2.0.1", Tables::Rules, Some(2)), Some(0));
        assert_eq!(device("fd12::1", Tables::Rules, None), Some(2));
        assert_eq!(device("fd12::1", Tables::Rules, Some(3)), Some(3));
        assert_eq!(device("fd99::1", Tables::Rules, Some(3)), Some(2));
        assert_eq!(device("fe80::1", Tables::Rules, None), None);
    }
}
