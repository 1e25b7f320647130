//! Bodies: open-coded iterators over numbers and bits. Numbers are kept where the program keeps the iterator, as in the kernel, since it
//! gets pointers to them.

use skep_linux::Errno;

use crate::call::{Call, Done, kfuncs};
use crate::held::Walk;
use crate::raw::{self, Space};

kfuncs! {
    "bpf_iter_num_new" => num_new,
    "bpf_iter_num_next" => num_next,
    "bpf_iter_num_destroy" => |c| {
        c.store(1, 0, 8, 0)?;
        Ok(0)
    },
    "bpf_iter_bits_new" => bits_new,
    "bpf_iter_bits_next" => bits_next,
    "bpf_iter_bits_destroy" => end,
}

/// `BPF_MAX_LOOPS`.
const MAX_LOOPS: i64 = 8 << 20;
/// Words of a bitmap: what one allocation of the kernel holds.
const WORDS_MAX: u32 = 511;
/// Where `struct bpf_iter_bits` keeps the number of bits and the bit it stands on.
const BITS: u64 = 8;
const BIT: u64 = 12;

/// `(it, start, end)`.
fn num_new(c: &mut Call<'_>) -> Done {
    let (start, end) = (c.arg32(2) as i32, c.arg32(3) as i32);
    c.store(1, 0, 8, 0)?;
    if start > end {
        return Err(Errno::EINVAL.into());
    }
    if i64::from(end) - i64::from(start) > MAX_LOOPS {
        return Err(Errno::E2BIG.into());
    }
    c.store(1, 0, 4, start.wrapping_sub(1) as u64)?;
    c.store(1, 4, 4, end as u64)?;
    Ok(0)
}

/// `(it)`: the address of the next number; NULL at the end.
fn num_next(c: &mut Call<'_>) -> Done {
    let (at, end) = (c.load(1, 0, 4)? as i32, c.load(1, 4, 4)? as i32);
    let next = at.wrapping_add(1);
    if next >= end {
        c.store(1, 0, 8, 0)?;
        return Ok(0);
    }
    c.store(1, 0, 4, next as u64)?;
    Ok(c.arg(1))
}

/// `(it, bits, nr_words)`: over the bits that are set in a copy of the words.
fn bits_new(c: &mut Call<'_>) -> Done {
    let (iterator, from, words) = (c.arg(1), c.arg(2), c.arg32(3));
    c.store(1, 0, 8, 0)?;
    c.store(1, BITS, 4, 0)?;
    c.store(1, BIT, 4, u64::MAX)?;
    if from == 0 || words == 0 {
        return Err(Errno::EINVAL.into());
    }
    if words > WORDS_MAX {
        return Err(Errno::E2BIG.into());
    }
    let bytes = raw::bytes(c.memory(), Space::Kernel, from, u64::from(words) * 8);
    let bytes = bytes.ok_or(if words == 1 { Errno::EFAULT } else { raw::refusal(Space::Kernel, from) })?;
    c.store(1, BITS, 4, u64::from(words) * 64)?;
    c.parts().held.walk(iterator, Walk::Bits(bytes));
    Ok(0)
}

/// `(it)`: the address of the number of the next bit that is set; NULL behind the last.
fn bits_next(c: &mut Call<'_>) -> Done {
    let (iterator, after) = (c.arg(1), c.load(1, BIT, 4)? as i32);
    let next = match c.parts().held.walked(iterator) {
        Some(Walk::Bits(bytes)) => {
            let from = usize::try_from(after.wrapping_add(1)).unwrap_or(usize::MAX);
            let set = |bit: &usize| bytes[bit / 8] >> (bit % 8) & 1 != 0;
            (from..bytes.len() * 8).find(set).ok_or(bytes.len() * 8)
        }
        Some(Walk::Objects(_)) | None => return Ok(0),
    };
    let (Ok(bit) | Err(bit)) = next;
    c.store(1, BIT, 4, bit as u64)?;
    Ok(if next.is_ok() { iterator + BIT } else { 0 })
}

/// Starts an iterator over objects.
pub(crate) fn start(c: &mut Call<'_>, objects: Vec<u64>) {
    let iterator = c.arg(1);
    c.parts().held.walk(iterator, Walk::Objects(objects.into_iter()));
}

/// The next object of the iterator in argument 1, made reachable; 0 at its end, and for one that was not begun.
pub(crate) fn next(c: &mut Call<'_>) -> Done {
    let iterator = c.arg(1);
    let object = match c.parts().held.walked(iterator) {
        Some(Walk::Objects(objects)) => objects.next().unwrap_or(0),
        Some(Walk::Bits(_)) | None => 0,
    };
    if object != 0 {
        crate::task::reach(c, object);
    }
    Ok(object)
}

/// Ends the iterator in argument 1.
pub(crate) fn end(c: &mut Call<'_>) -> Done {
    let iterator = c.arg(1);
    c.parts().held.end_walk(iterator);
    Ok(0)
}
