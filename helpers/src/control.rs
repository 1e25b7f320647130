//! Bodies: where execution goes.

use skep_linux::Errno;
use skep_maps::{Map, ProgArray};
use skep_memory::{Block, RegionKind};

use crate::Stop;
use crate::call::{Call, Done, Fail, helpers};

helpers! {
    12 "bpf_tail_call" => tail_call,
    164 "bpf_for_each_map_elem" => for_each_map_elem,
    181 "bpf_loop" => repeat,
}

/// `BPF_MAX_LOOPS`.
const MAX_LOOPS: u64 = 8 << 20;

/// `(ctx, map, index)`. Where there is nothing to call, the program goes on.
fn tail_call(c: &mut Call<'_>) -> Done {
    let map = c.map(2)?;
    let index = c.arg32(3);
    let programs = map.as_any().downcast_ref::<ProgArray>().ok_or_else(|| c.bad(2, "not a map of programs"))?;
    match programs.get(index) {
        Some(program) => Err(Stop::TailCall(program).into()),
        None => Err(Errno::ENOENT.into()),
    }
}

/// `(nr_loops, callback, callback_ctx, flags)`: the number of iterations that ran. The verifier writes the loop into programs that call
/// this without flags: the number then counts with all its bits, and the error has 32.
fn repeat(c: &mut Call<'_>) -> Done {
    let [count, callback, passed, flags, _] = c.args;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    if count > MAX_LOOPS {
        return Ok(crate::call::as_int(Errno::E2BIG));
    }
    for i in 0..count {
        if c.machine.call(callback, [i, passed, 0, 0, 0])? != 0 {
            return Ok(i + 1);
        }
    }
    Ok(count)
}

/// `(map, callback, callback_ctx, flags)`: the number of elements that the callback saw.
fn for_each_map_elem(c: &mut Call<'_>) -> Done {
    let map = c.map(1)?;
    if c.arg(4) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let stack_key = Block::zeroed(map.def().key_size as usize);

    c.lend(RegionKind::Lent("a map key".into()), stack_key.clone(), false);
    let walked = walk(c, &*map, &stack_key);
    c.memory().remove(stack_key.addr());
    walked
}

fn walk(c: &mut Call<'_>, map: &dyn Map, stack_key: &Block) -> Done {
    let [handle, callback, passed, ..] = c.args;
    let caller = c.caller();
    let (mut cursor, mut count) = (0, 0);
    while let Some(visit) = map.visit(caller, &mut cursor).map_err(Fail::from)? {
        count += 1;
        let key = match &visit.key_slot {
            Some(slot) => slot.addr(),
            None => {
                stack_key.write(0, &visit.key);
                stack_key.addr()
            }
        };
        if c.machine.call(callback, [handle, key, visit.value.addr(), passed, 0])? != 0 {
            break;
        }
    }
    Ok(count)
}
