//! Helpers on packets: programs run in skep and in the host's kernel on the same packet.

mod csum;
mod namespace;
mod redirect;
mod route;
mod script;
mod skb;
mod sock;
mod tunnel;
mod xdp;
