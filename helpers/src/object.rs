//! Kernel objects in guest memory, by their fields.

use skep_btf::{Kind, Place};

use crate::call::{Call, Fail};
use crate::raw::{self, Space};

/// The number in a field of the struct of type `ty` at `addr`, which argument `n` led to. The path goes through no pointers.
pub(crate) fn field(c: &mut Call<'_>, n: usize, addr: u64, ty: &str, path: &str) -> Result<u64, Fail> {
    let place = place(c, ty, path)?;
    let (offset, size) = place;
    let mut bytes = [0; 8];
    let found = raw::read(c.memory(), Space::Kernel, addr.wrapping_add(offset), &mut bytes[..size]);
    match found {
        true => Ok(u64::from_le_bytes(bytes)),
        false => Err(c.bad(n, format_args!("no struct {ty} at {addr:#x}"))),
    }
}

/// Offset and size of a field of a number or a pointer.
fn place(c: &mut Call<'_>, ty: &str, path: &str) -> Result<(u64, usize), Fail> {
    let btf = c.world().target.btf().cloned();
    let Some(btf) = btf else {
        return Err(c.not_simulated(format_args!("struct {ty}: the target has no BTF")));
    };
    let found = btf.find(ty, Kind::Struct).and_then(|id| {
        let access = btf.walk(id, path).ok()?;
        let place: Place = access.pointers.is_empty().then_some(access.place)?;
        let size = place.size(&btf).ok().filter(|size| *size <= 8 && place.bitfield.is_none())?;
        Some((u64::from(place.offset()), size as usize))
    });
    found.ok_or_else(|| c.not_simulated(format_args!("struct {ty} without a field {path}")))
}

/// The string at `addr`, which argument `n` led to.
pub(crate) fn object_text(c: &mut Call<'_>, n: usize, addr: u64) -> Result<Vec<u8>, Fail> {
    const LONGEST: u64 = 4096;
    match raw::string(c.memory(), Space::Kernel, addr, LONGEST) {
        Some((text, _)) => Ok(text),
        None => Err(c.bad(n, format_args!("no string at {addr:#x}"))),
    }
}
