//! Bodies: pages of arenas.

use skep_linux::Errno;
use skep_maps::Arena;

use crate::call::{Call, Done, Fail, kfuncs};

kfuncs! {
    "bpf_arena_alloc_pages" => alloc_pages,
    "bpf_arena_free_pages" => free_pages,
    "bpf_arena_reserve_pages" => reserve_pages,
}

/// Does something with the arena that argument 1 names. The verifier takes every map there: `None` if it is none.
fn with_arena<T>(c: &Call<'_>, f: impl FnOnce(&Arena) -> T) -> Result<Option<T>, Fail> {
    let map = c.map(1)?;
    Ok(map.as_any().downcast_ref::<Arena>().map(f))
}

/// `(map, addr, page_cnt, node_id, flags)`: the address of the first page as user space sees it, or NULL.
fn alloc_pages(c: &mut Call<'_>) -> Done {
    let [_, at, _, _, flags] = c.args;
    let (count, node) = (c.arg32(3), c.arg32(4) as i32);
    Ok(with_arena(c, |arena| arena.alloc_pages(at, count, node, flags))?.flatten().unwrap_or(0))
}

/// `(map, addr, page_cnt)`.
fn free_pages(c: &mut Call<'_>) -> Done {
    let (at, count) = (c.arg(2), c.arg32(3));
    with_arena(c, |arena| arena.free_pages(at, count))?;
    Ok(0)
}

/// `(map, addr, page_cnt)`.
fn reserve_pages(c: &mut Call<'_>) -> Done {
    let (at, count) = (c.arg(2), c.arg32(3));
    with_arena(c, |arena| arena.reserve_pages(at, count))?.unwrap_or(Err(Errno::EINVAL))?;
    Ok(0)
}
