//! What surrounds programs: devices, routes, neighbours, cgroups.

use std::net::IpAddr;
use std::str::FromStr;

use skep::World;
use skep::world::{Cgroup, Cgroups, Device, Neighbour, Route};

use super::error::Wrong;
use super::syntax::Assignment;

/// The fields of an option, each to be taken.
struct Taken {
    what: &'static str,
    fields: Vec<Assignment>,
}

impl Taken {
    fn new(what: &'static str, text: &str) -> Result<Taken, Wrong> {
        Ok(Taken { what, fields: Assignment::list(text)? })
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let at = self.fields.iter().position(|field| field.path == name)?;
        Some(self.fields.remove(at).value)
    }

    fn get<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Wrong> {
        let Some(text) = self.text(name) else { return Ok(None) };
        self.read(name, &text).map(Some)
    }

    fn need<T: FromStr>(&mut self, name: &'static str) -> Result<T, Wrong> {
        self.get(name)?.ok_or(Wrong::Missing { what: self.what, field: name })
    }

    fn read<T: FromStr>(&self, name: &str, text: &str) -> Result<T, Wrong> {
        text.parse().map_err(|_| Wrong::Field { what: self.what, field: name.to_owned(), value: text.to_owned() })
    }

    fn mac(&mut self) -> Result<Option<[u8; 6]>, Wrong> {
        let Some(text) = self.text("mac") else { return Ok(None) };
        let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
        let mac = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
        mac.map(Some).ok_or(Wrong::Field { what: self.what, field: "mac".into(), value: text })
    }

    /// Refuses what nobody took.
    fn finish(self, known: &[&str]) -> Result<(), Wrong> {
        match self.fields.into_iter().next() {
            None => Ok(()),
            Some(field) => Err(Wrong::NoField {
                what: self.what.to_owned(),
                field: field.path,
                known: known.iter().map(|name| (*name).to_owned()).collect(),
            }),
        }
    }
}

/// `--device index=3,name=eth1,mac=...,mtu=1500,address=10.0.0.1,up=true,forwarding=true`.
pub(super) fn device(world: &mut World, text: &str) -> Result<(), Wrong> {
    let mut taken = Taken::new("a device", text)?;
    let index = taken.need("index")?;
    let name = taken.text("name").unwrap_or_else(|| format!("dev{index}"));
    let mut device = Device::new(index, name);
    device.mac = taken.mac()?.unwrap_or(device.mac);
    device.mtu = taken.get("mtu")?.unwrap_or(device.mtu);
    device.up = taken.get("up")?.unwrap_or(device.up);
    if let Some(forwarding) = taken.get("forwarding")? {
        (device.forwarding4, device.forwarding6) = (forwarding, forwarding);
    }
    while let Some(address) = taken.get("address")? {
        device.addresses.push(address);
    }
    taken.finish(&["index", "name", "mac", "mtu", "up", "forwarding", "address"])?;
    world.net.devices.retain(|other| other.index != index);
    world.net.devices.push(device);
    Ok(())
}

/// `--route to=10.1.0.0/16,device=3,via=10.0.0.254,metric=1,table=254,mtu=1400,source=10.0.0.1`.
pub(super) fn route(world: &mut World, text: &str) -> Result<(), Wrong> {
    let mut taken = Taken::new("a route", text)?;
    let to = taken.text("to").ok_or(Wrong::Missing { what: "a route", field: "to" })?;
    let (addr, prefix) = to.split_once('/').map_or((to.as_str(), None), |(addr, prefix)| (addr, Some(prefix)));
    let addr: IpAddr = taken.read("to", addr)?;
    let most = if addr.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map(|prefix| taken.read("to", prefix)).transpose()?.unwrap_or(most);
    if prefix > most {
        return Err(Wrong::Field { what: "a route", field: "to".into(), value: to });
    }
    let mut route = Route::new(addr, prefix, taken.need("device")?);
    route.via = taken.get("via")?;
    route.metric = taken.get("metric")?.unwrap_or(route.metric);
    route.table = taken.get("table")?.unwrap_or(route.table);
    route.mtu = taken.get("mtu")?;
    route.source = taken.get("source")?;
    taken.finish(&["to", "device", "via", "metric", "table", "mtu", "source"])?;
    world.net.routes.push(route);
    Ok(())
}

/// `--neighbour addr=10.0.0.254,device=3,mac=...`.
pub(super) fn neighbour(world: &mut World, text: &str) -> Result<(), Wrong> {
    let mut taken = Taken::new("a neighbour", text)?;
    let (addr, device) = (taken.need("addr")?, taken.need("device")?);
    let mac = taken.mac()?.ok_or(Wrong::Missing { what: "a neighbour", field: "mac" })?;
    taken.finish(&["addr", "device", "mac"])?;
    world.net.neighbours.push(Neighbour { device, addr, mac });
    Ok(())
}

/// `--cgroup id=5,parent=1,name=web,class_id=7`.
pub(super) fn cgroup(world: &mut World, text: &str) -> Result<(), Wrong> {
    let mut taken = Taken::new("a cgroup", text)?;
    let id = taken.need("id")?;
    let parent = taken.get("parent")?.unwrap_or(Cgroups::ROOT);
    let name = taken.text("name").unwrap_or_else(|| format!("cgroup{id}"));
    let class_id = taken.get("class_id")?.unwrap_or(0);
    taken.finish(&["id", "parent", "name", "class_id"])?;
    world.cgroups.by_id.insert(id, Cgroup { parent, name, class_id });
    Ok(())
}
