//! Bodies: options of sockets.

use skep_linux::Errno;
use skep_world::{Effect, Socket};

use super::{AF_INET, AF_INET6, Facts, Sock, TCP};
use crate::call::{Call, Done, Fail};

const SOL_IP: u32 = 0;
const SOL_SOCKET: u32 = 1;
const SOL_TCP: u32 = 6;
const SOL_IPV6: u32 = 41;

const SO_MARK: u32 = 36;
const SO_PRIORITY: u32 = 12;
const SO_SNDBUF: u32 = 7;
const SO_RCVBUF: u32 = 8;
const SO_BINDTODEVICE: u32 = 25;
const SO_BINDTOIFINDEX: u32 = 62;
const TCP_CONGESTION: u32 = 13;
const TCP_SAVED_SYN: u32 = 28;
/// The longest name of a congestion control.
const TCP_CA_NAME_MAX: usize = 16;

/// What an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// An `int`: any.
    Number,
    /// An `int` that is kept as 0 or 1.
    Switch,
    /// An `int` that is doubled, but not below a limit.
    Buffer(u32),
    /// Bytes: a name, a header.
    Bytes,
}

/// An option.
#[derive(Debug, Clone, Copy)]
struct Opt {
    level: u32,
    name: u32,
    value: Value,
    /// Programs may read it; all may be set.
    read: bool,
    /// What it is if nobody has set it; `None` where that depends on what is not modelled.
    default: Option<u32>,
}

const fn opt(level: u32, name: u32, value: Value, read: bool, default: Option<u32>) -> Opt {
    Opt { level, name, value, read, default }
}

/// Options that programs may set: `SO_*`, `TCP_*`, `IP_TOS`, `IPV6_TCLASS` and `IPV6_AUTOFLOWLABEL`, then those that only programs have.
const OPTIONS: &[Opt] = &[
    opt(SOL_SOCKET, 2, Value::Switch, true, Some(0)),
    opt(SOL_SOCKET, SO_SNDBUF, Value::Buffer(4608), true, None),
    opt(SOL_SOCKET, SO_RCVBUF, Value::Buffer(2304), true, None),
    opt(SOL_SOCKET, 9, Value::Switch, true, Some(0)),
    opt(SOL_SOCKET, SO_PRIORITY, Value::Number, true, Some(0)),
    opt(SOL_SOCKET, 15, Value::Switch, true, Some(0)),
    opt(SOL_SOCKET, 18, Value::Number, true, Some(1)),
    opt(SOL_SOCKET, SO_BINDTODEVICE, Value::Bytes, false, None),
    opt(SOL_SOCKET, SO_MARK, Value::Number, true, Some(0)),
    opt(SOL_SOCKET, 47, Value::Number, true, Some(u32::MAX)),
    opt(SOL_SOCKET, SO_BINDTOIFINDEX, Value::Number, true, Some(0)),
    opt(SOL_SOCKET, 74, Value::Number, true, Some(1)),
    opt(SOL_TCP, 1, Value::Switch, true, Some(0)),
    opt(SOL_TCP, 2, Value::Number, true, None),
    opt(SOL_TCP, 4, Value::Number, true, Some(7200)),
    opt(SOL_TCP, 5, Value::Number, true, Some(75)),
    opt(SOL_TCP, 6, Value::Number, true, Some(9)),
    opt(SOL_TCP, 7, Value::Number, true, Some(6)),
    opt(SOL_TCP, 10, Value::Number, true, None),
    opt(SOL_TCP, TCP_CONGESTION, Value::Bytes, true, None),
    opt(SOL_TCP, 16, Value::Switch, true, Some(0)),
    opt(SOL_TCP, 18, Value::Number, true, Some(0)),
    opt(SOL_TCP, 25, Value::Number, true, Some(0)),
    opt(SOL_TCP, 27, Value::Number, true, Some(0)),
    opt(SOL_TCP, TCP_SAVED_SYN, Value::Bytes, true, None),
    opt(SOL_TCP, 44, Value::Number, true, Some(120_000)),
    opt(SOL_TCP, 1001, Value::Number, false, None),
    opt(SOL_TCP, 1002, Value::Number, false, None),
    opt(SOL_TCP, 1003, Value::Number, false, None),
    opt(SOL_TCP, 1004, Value::Number, false, None),
    opt(SOL_TCP, 1008, Value::Number, true, Some(0)),
    opt(SOL_IP, 1, Value::Number, true, Some(0)),
    opt(SOL_IPV6, 67, Value::Number, true, Some(0)),
    opt(SOL_IPV6, 70, Value::Switch, true, Some(0)),
];

/// The option that a program means, if its socket has it and its value may have this length.
fn option(facts: &Facts, level: u32, name: u32, len: usize) -> Result<&'static Opt, Errno> {
    let fits = match level {
        SOL_TCP => facts.protocol == TCP,
        SOL_IP => facts.family == AF_INET,
        SOL_IPV6 => facts.family == AF_INET6,
        _socket => true,
    };
    let found = OPTIONS.iter().find(|option| option.level == level && option.name == name);
    let found = found.filter(|_| fits && facts.is_full()).ok_or(Errno::EINVAL)?;
    match found.value {
        Value::Bytes if len > 0 => Ok(found),
        Value::Number | Value::Switch | Value::Buffer(_) if len == 4 => Ok(found),
        Value::Bytes | Value::Number | Value::Switch | Value::Buffer(_) => Err(Errno::EINVAL),
    }
}

/// The socket that argument 1 leads to, and what it says.
fn socket(c: &mut Call<'_>) -> Result<(Sock, Facts), Fail> {
    let Some(sock) = c.socket(1)? else {
        return Err(Errno::EINVAL.into());
    };
    let facts = c.facts(1, &sock)?;
    Ok((sock, facts))
}

/// `(ctx or sk, level, optname, optval, optlen)`.
pub(super) fn set(c: &mut Call<'_>) -> Done {
    let (level, name, len) = (c.arg32(2), c.arg32(3), c.arg32(5));
    let given = c.bytes(4, len.into())?;
    let (sock, facts) = socket(c)?;
    let option = option(&facts, level, name, given.len())?;
    let value = kept(option, &given);
    let cookie = c.cookie(&sock)?;
    let world = c.world();
    if let Some(socket) = world.net.sockets.get_mut(cookie) {
        apply(socket, level, name, &value);
    }
    world.output.effects.push(Effect::SetSockOpt { cookie, level, name, value: given });
    world.net.sockets.set_option(cookie, level, name, value);
    Ok(0)
}

/// What a socket keeps of a value that is set.
fn kept(option: &Opt, given: &[u8]) -> Vec<u8> {
    let number = || given.get(..4).map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    match option.value {
        Value::Number => number().to_le_bytes().to_vec(),
        Value::Switch => u32::from(number() != 0).to_le_bytes().to_vec(),
        Value::Buffer(least) => number().saturating_mul(2).max(least).to_le_bytes().to_vec(),
        Value::Bytes => given.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
    }
}

/// Options that other helpers and fields see.
fn apply(socket: &mut Socket, level: u32, name: u32, value: &[u8]) {
    let number = value.get(..4).map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    match (level, name) {
        (SOL_SOCKET, SO_MARK) => socket.mark = number,
        (SOL_SOCKET, SO_PRIORITY) => socket.priority = number,
        (SOL_SOCKET, SO_BINDTOIFINDEX) => socket.device = number,
        _seen_by_nobody => {}
    }
}

/// `(ctx or sk, level, optname, optval, optlen)`.
pub(super) fn get(c: &mut Call<'_>) -> Done {
    let len = c.arg32(5);
    let value = match read(c, len as usize) {
        Ok(value) => value,
        Err(Fail::Errno(errno)) => {
            c.fill(4, len.into(), 0)?;
            return Ok(errno.negated());
        }
        Err(stop) => return Err(stop),
    };
    // What is not filled is zeroed.
    c.fill(4, len.into(), 0)?;
    c.write(4, &value[..value.len().min(len as usize)])?;
    Ok(0)
}

fn read(c: &mut Call<'_>, len: usize) -> Result<Vec<u8>, Fail> {
    let (level, name) = (c.arg32(2), c.arg32(3));
    let (sock, facts) = socket(c)?;
    let option = option(&facts, level, name, len)?;
    if !option.read {
        return Err(Errno::EINVAL.into());
    }
    let cookie = c.cookie(&sock)?;
    if let Some(value) = c.world().net.sockets.option(cookie, level, name) {
        // A name comes with its NUL, and is cut to what a name may have.
        let named = (level, name) == (SOL_TCP, TCP_CONGESTION);
        if named && len < 2 {
            return Err(Errno::EINVAL.into());
        }
        let mut value = value.to_vec();
        if named {
            value.truncate((TCP_CA_NAME_MAX - 1).min(len - 1));
            value.push(0);
        }
        return Ok(value);
    }
    match option.default {
        Some(number) => Ok(number.to_le_bytes().to_vec()),
        None => Err(c.not_simulated(format_args!("option {name} of level {level}, which nobody has set"))),
    }
}
