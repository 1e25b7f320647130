//! Runs an XDP program on two packets, without root, and reads what it counted.
//!
//! `cargo run -p skep --example firewall`

use std::error::Error;

use skep::{Arch, Input, Instance, Object, Release, Target};

/// An Ethernet frame with an empty TCP segment to a port.
fn tcp_to(port: u16) -> Vec<u8> {
    let mut frame = vec![0; 14 + 20 + 20];
    frame[12..14].copy_from_slice(&[0x08, 0x00]); // IPv4
    frame[14] = 0x45;
    frame[23] = 6; // TCP
    frame[36..38].copy_from_slice(&port.to_be_bytes());
    frame
}

fn main() -> Result<(), Box<dyn Error>> {
    let object = Object::parse(include_bytes!("../../conformance/programs/firewall.bpf.o"))?;
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let mut instance = Instance::builder(target).object(&object)?.build()?;

    instance.map("blocked_ports")?.set_value(23, 1)?;
    for port in [23, 443] {
        let outcome = instance.program("firewall")?.run(&Input::packet(&tcp_to(port)))?;
        println!("port {port}: verdict {} after {} instructions", outcome.retval(), outcome.executed);
    }
    let dropped = instance.map("dropped")?.value(6)?.ok_or("no counters")?;
    println!("dropped TCP: {dropped}");
    println!("malformed: {}", instance.map(".bss")?.variable("malformed")?);
    Ok(())
}
