//! Bodies: kernel functions that stand alone: casts, exceptions, files, keys, sessions, maps as objects.

use skep_btf::Kind;
use skep_linux::{Errno, MapType, contexts::Shape};
use skep_maps::Caller;

use crate::call::{Call, Done, kfuncs};
use crate::object::field;
use crate::task::reach;
use crate::{HeldKind, Stop, Trap};

kfuncs! {
    "__bpf_trap" => |_| Err(Trap::Illegal("the program came where its compiler said that it never does".into()).into()),
    "bpf_cast_to_kern_ctx" => cast_to_kern_ctx,
    "bpf_rdonly_cast" => |c| Ok(c.arg(1)),
    "bpf_throw" => |c| Err(Stop::Throw(c.arg(1)).into()),
    "bpf_get_task_exe_file" => get_task_exe_file,
    "bpf_put_file" => |c| put(c, HeldKind::Object("file")),
    "bpf_lookup_user_key" => lookup_user_key,
    "bpf_lookup_system_key" => lookup_system_key,
    "bpf_key_put" => |c| {
        let key = c.arg(1);
        put(c, HeldKind::Allocation)?;
        crate::alloc::let_go(&mut c.parts(), key);
        Ok(0)
    },
    "bpf_map_sum_elem_count" => map_sum_elem_count,
    "bpf_session_is_return" => |c| Ok(c.world().event.session_return.into()),
    "bpf_session_cookie" => session_cookie,
}

/// `(obj)`: the context as the kernel's own struct. Contexts that are memory are that already.
fn cast_to_kern_ctx(c: &mut Call<'_>) -> Done {
    let addr = c.arg(1);
    let Some(row) = c.context(1)?.row() else {
        return Ok(addr);
    };
    let kernel = match (row.shape, row.name) {
        (Shape::Struct, "__sk_buff") => "sk_buff",
        (Shape::Struct, "xdp_md") => "xdp_buff",
        (Shape::Struct, other) => return Err(c.not_simulated(format_args!("the kernel's own struct behind {other}"))),
        (Shape::Memory | Shape::BtfArgs, _) => return Ok(addr),
    };
    let made = match c.world().kernel_contexts.get(kernel) {
        Some(object) => Ok(*object),
        None => c.world().new_object(kernel),
    };
    let object = made.map_err(|error| c.not_simulated(format_args!("struct {kernel}: {error}")))?;
    let context = c.context(1)?;
    let numbers: Vec<(&str, u64)> =
        row.fields.iter().filter_map(|f| Some((f.name, context.field(f.name).filter(|_| !f.yields.is_pointer())?))).collect();
    let packet = context.packet.as_ref().map(|p| (p.addr(), p.block.addr() + p.end as u64, p.block.addr() + p.meta as u64));
    let world = c.world();
    world.kernel_contexts.insert(kernel, object);
    let pointers = packet.map(|(data, end, meta)| [("data", data), ("data_end", end), ("data_meta", meta)]);
    for (name, value) in numbers.into_iter().chain(pointers.into_iter().flatten()) {
        // Fields that the kernel's struct does not have under this name, or that are of another kind there, stay zero.
        world.set(object, name, value).ok();
    }
    reach(c, object);
    Ok(object)
}

/// `(task)`: the file it runs, with a reference; NULL if it has none.
fn get_task_exe_file(c: &mut Call<'_>) -> Done {
    crate::task::task(c, 1)?;
    let (task, by) = (c.arg(1), c.name);
    let mm = field(c, 1, task, "task_struct", "mm")?;
    if mm == 0 {
        return Ok(0);
    }
    let file = field(c, 1, mm, "mm_struct", "exe_file")?;
    if file != 0 {
        c.parts().held.acquire(HeldKind::Object("file"), file, by);
    }
    Ok(file)
}

/// Gives a reference of this kind to argument 1 back.
fn put(c: &mut Call<'_>, kind: HeldKind) -> Done {
    let addr = c.arg(1);
    match c.parts().held.release(kind, addr) {
        Some(_) => Ok(0),
        None => Err(c.bad(1, format_args!("{addr:#x} is nothing that this run holds"))),
    }
}

/// `(serial, flags)`: the key, if there is one.
fn lookup_user_key(c: &mut Call<'_>) -> Done {
    /// `KEY_LOOKUP_ALL`.
    const FLAGS: u64 = 3;
    let serial = c.arg32(1) as i32;
    if c.arg(2) & !FLAGS != 0 || !c.world().keys.contains(&serial) {
        return Ok(0);
    }
    key(c)
}

/// `(id)`: one of the system's own keyrings.
fn lookup_system_key(c: &mut Call<'_>) -> Done {
    /// Builtin, secondary, platform.
    const LAST: u64 = 2;
    if c.arg(1) > LAST { Ok(0) } else { key(c) }
}

/// A `struct bpf_key` that the program holds.
fn key(c: &mut Call<'_>) -> Done {
    const DEFAULT: usize = 16;
    let btf = c.world().target.btf().cloned();
    let size = btf.and_then(|btf| btf.size_of(btf.find("bpf_key", Kind::Struct)?).ok());
    crate::alloc::allocate(c, "a key", size.map_or(DEFAULT, |size| size as usize), None, Vec::new())
}

/// `(map)`: the number of elements, of maps that count them.
fn map_sum_elem_count(c: &mut Call<'_>) -> Done {
    let map = c.map(1)?;
    let counts = matches!(map.def().map_type, MapType::Hash | MapType::LruHash | MapType::PercpuHash | MapType::LruPercpuHash);
    let (mut cursor, mut count) = (0, 0);
    while counts && matches!(map.visit(Caller { cpu: 0 }, &mut cursor), Ok(Some(_))) {
        count += 1;
    }
    Ok(count)
}

/// The number that the two probes of a session share: its address.
fn session_cookie(c: &mut Call<'_>) -> Done {
    let parts = c.parts();
    if let Some(cookie) = parts.world.event.session_cookie.filter(|cookie| parts.world.heap.get(*cookie).is_some()) {
        return Ok(cookie);
    }
    let Some((cookie, object)) = parts.world.heap.allocate("the cookie of a session", 8, None, Vec::new()) else {
        return Err(Errno::ENOMEM.into());
    };
    parts.memory.add(object.region());
    parts.world.event.session_cookie = Some(cookie);
    Ok(cookie)
}
