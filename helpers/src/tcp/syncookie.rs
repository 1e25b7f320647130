//! Bodies: SYN cookies. Linux keys them with numbers that it draws at boot; these are the same in every run.

use skep_linux::Errno;
use skep_world::SocketState;

use crate::call::{Call, Done, Fail};
use crate::sock::{AF_INET6, Facts, TCP};

/// Bytes of headers without options.
const TCP_HEADER: usize = 20;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// Nanoseconds after which cookies change, and how many such spells they live.
const SPELL: u64 = 60_000_000_000;
const SPELLS: u32 = 2;
/// Bits of a cookie that are its data.
const DATA: u32 = 0x00ff_ffff;

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Six,
}

impl Version {
    fn header_len(self) -> usize {
        match self {
            Version::Four => IPV4_HEADER,
            Version::Six => IPV6_HEADER,
        }
    }

    /// The sizes of segments that a cookie can say.
    fn sizes(self) -> [u16; 4] {
        match self {
            Version::Four => [536, 1300, 1440, 1460],
            Version::Six => [1220, 1420, 1440, 8940],
        }
    }

    /// The size of segments of somebody who says none.
    fn default_size(self) -> u16 {
        match self {
            Version::Four => 536,
            Version::Six => 1220,
        }
    }

    fn addresses(self, header: &[u8]) -> &[u8] {
        match self {
            Version::Four => &header[12..20],
            Version::Six => &header[8..40],
        }
    }
}

/// A hash of a connection, a spell, and which of two hashes it is (FNV-1a).
fn hash(connection: &[u8], spell: u32, which: u8) -> u32 {
    let bytes = connection.iter().copied().chain(spell.to_le_bytes()).chain([which]);
    bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Addresses and ports.
fn connection(version: Version, ip: &[u8], tcp: &[u8]) -> Vec<u8> {
    [version.addresses(ip), &tcp[..4]].concat()
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The size of segments that the options of a header say.
fn segment_size(tcp: &[u8]) -> Option<u16> {
    let mut options = tcp.get(TCP_HEADER..)?;
    let mut size = None;
    loop {
        match options {
            [] | [0, ..] => return size,
            [1, rest @ ..] => options = rest,
            [kind, len, ..] if *len >= 2 && usize::from(*len) <= options.len() => {
                if *kind == 2 && *len == 4 {
                    size = Some(u16::from_be_bytes([options[2], options[3]])).filter(|size| *size != 0).or(size);
                }
                options = &options[usize::from(*len)..];
            }
            _cut_off => return size,
        }
    }
}

/// The cookie for a SYN in the upper spell, with the size of segments above it.
fn make(version: Version, ip: &[u8], tcp: &[u8], spell: u32) -> u64 {
    let wanted = segment_size(tcp).unwrap_or_else(|| version.default_size());
    let sizes = version.sizes();
    let index = sizes.iter().rposition(|size| wanted >= *size).unwrap_or(0);
    let connection = connection(version, ip, tcp);
    let data = hash(&connection, spell, 1).wrapping_add(index as u32) & DATA;
    let cookie = hash(&connection, 0, 0).wrapping_add(number(tcp, 4)).wrapping_add(spell << 24).wrapping_add(data);
    u64::from(cookie) | u64::from(sizes[index]) << 32
}

/// Whether an ACK answers a cookie that is not too old.
fn answers(version: Version, ip: &[u8], tcp: &[u8], spell: u32) -> bool {
    let connection = connection(version, ip, tcp);
    let (cookie, sequence) = (number(tcp, 8).wrapping_sub(1), number(tcp, 4).wrapping_sub(1));
    let rest = cookie.wrapping_sub(hash(&connection, 0, 0)).wrapping_sub(sequence);
    let age = spell.wrapping_sub(rest >> 24) & (u32::MAX >> 24);
    let index = rest.wrapping_sub(hash(&connection, spell.wrapping_sub(age), 1)) & DATA;
    age < SPELLS && (index as usize) < version.sizes().len()
}

fn spell(c: &mut Call<'_>) -> u32 {
    (c.world().clock.monotonic / SPELL) as u32
}

/// `(iph, th, th_len)`.
pub(super) fn generate_raw(c: &mut Call<'_>, version: Version) -> Done {
    let len = c.arg32(3) as usize;
    let ip = c.bytes(1, version.header_len() as u64)?;
    let tcp = c.bytes(2, len as u64)?;
    if len < TCP_HEADER || len != usize::from(tcp[12] >> 4) * 4 {
        return Err(Errno::EINVAL.into());
    }
    let spell = spell(c);
    Ok(make(version, &ip, &tcp, spell))
}

/// `(iph, th)`.
pub(super) fn check_raw(c: &mut Call<'_>, version: Version) -> Done {
    let ip = c.bytes(1, version.header_len() as u64)?;
    let tcp = c.bytes(2, TCP_HEADER as u64)?;
    let spell = spell(c);
    if answers(version, &ip, &tcp, spell) { Ok(0) } else { Err(Errno::EACCES.into()) }
}

/// Flags of a TCP header.
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A listener with the headers that came to it, and whether too many came: only then are there cookies.
struct Asked {
    facts: Facts,
    flooded: bool,
    ip: Vec<u8>,
    tcp: Vec<u8>,
}

/// Reads `(sk, iph, iph_len, th, th_len)`.
fn asked(c: &mut Call<'_>) -> Result<Asked, Fail> {
    let (ip_len, tcp_len) = (c.arg32(3), c.arg32(5));
    let ip = c.bytes(2, ip_len.into())?;
    let tcp = c.bytes(4, tcp_len.into())?;
    let Some(sock) = c.socket(1)?.filter(|_| tcp.len() >= TCP_HEADER) else {
        return Err(Errno::EINVAL.into());
    };
    let facts = c.facts(1, &sock)?;
    if facts.protocol != TCP || facts.state != SocketState::Listen as u32 {
        return Err(Errno::EINVAL.into());
    }
    let flooded = match sock {
        crate::sock::Sock::World(cookie) => c.world().net.sockets.get(cookie).is_some_and(|socket| socket.flooded),
        crate::sock::Sock::Own(_) | crate::sock::Sock::Object(_) => false,
    };
    Ok(Asked { facts, flooded, ip, tcp })
}

impl Asked {
    /// The version of IP that the header says, if the listener takes it.
    fn version(&self) -> Result<Version, Errno> {
        match self.ip[0] >> 4 {
            4 if self.facts.family == AF_INET6 && self.facts.v6_only => Err(Errno::EINVAL),
            4 => Ok(Version::Four),
            6 if self.ip.len() < IPV6_HEADER || self.facts.family != AF_INET6 => Err(Errno::EINVAL),
            6 => Ok(Version::Six),
            _other => Err(Errno::EPROTONOSUPPORT),
        }
    }
}

/// `(sk, iph, iph_len, th, th_len)`.
pub(super) fn check(c: &mut Call<'_>) -> Done {
    let asked = asked(c)?;
    if asked.tcp[13] & (ACK | RST | SYN) != ACK {
        return Err(Errno::ENOENT.into());
    }
    if asked.ip.len() < IPV4_HEADER {
        return Err(Errno::EINVAL.into());
    }
    if !asked.flooded {
        return Err(Errno::ENOENT.into());
    }
    let (version, spell) = (asked.version()?, spell(c));
    if answers(version, &asked.ip, &asked.tcp, spell) { Ok(0) } else { Err(Errno::ENOENT.into()) }
}

/// `(sk, iph, iph_len, th, th_len)`.
pub(super) fn generate(c: &mut Call<'_>) -> Done {
    let len = c.arg32(5) as usize;
    let data_offset = match c.bytes(4, len as u64)?.get(12) {
        Some(byte) => usize::from(byte >> 4) * 4,
        None => 0,
    };
    if len != data_offset {
        return Err(Errno::EINVAL.into());
    }
    let asked = asked(c)?;
    if asked.tcp[13] & (SYN | ACK | FIN | RST) != SYN || asked.ip.len() < IPV4_HEADER {
        return Err(Errno::EINVAL.into());
    }
    let version = asked.version()?;
    if !asked.flooded {
        return Err(Errno::ENOENT.into());
    }
    let spell = spell(c);
    Ok(make(version, &asked.ip, &asked.tcp, spell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(sequence: u32, acknowledged: u32, size: u16) -> (Vec<u8>, Vec<u8>) {
        let ip = vec![0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        let mut tcp = vec![0x1f, 0x90, 0, 80];
        tcp.extend(sequence.to_be_bytes());
        tcp.extend(acknowledged.to_be_bytes());
        tcp.extend([0x60, 2, 0xff, 0xff, 0, 0, 0, 0, 2, 4]);
        tcp.extend(size.to_be_bytes());
        (ip, tcp)
    }

    #[test]
    fn a_cookie_is_answered_for_two_spells() {
        let (ip, syn) = headers(1000, 0, 1450);
        let made = make(Version::Four, &ip, &syn, 77);
        assert_eq!(made >> 32, 1440);
        let (_, ack) = headers(1001, (made as u32).wrapping_add(1), 1450);
        assert!(answers(Version::Four, &ip, &ack, 77));
        assert!(answers(Version::Four, &ip, &ack, 78));
        assert!(!answers(Version::Four, &ip, &ack, 79));
        let (_, other) = headers(1100, (made as u32).wrapping_add(1), 1450);
        assert!(!answers(Version::Four, &ip, &other, 77));
    }
}
