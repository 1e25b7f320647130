//! Bodies: infrared remote controls.

use skep_world::Effect;

use crate::call::{Call, Done, helpers};

helpers! {
    77 "bpf_rc_repeat" => |c| effect(c, Effect::RemoteRepeat),
    78 "bpf_rc_keydown" => |c| {
        let (protocol, scancode, toggle) = (c.arg32(2), c.arg(3), c.arg32(4) != 0);
        effect(c, Effect::RemoteKey { protocol, scancode, toggle })
    },
    92 "bpf_rc_pointer_rel" => |c| {
        let (x, y) = (c.arg32(2) as i32, c.arg32(3) as i32);
        effect(c, Effect::RemotePointer { x, y })
    },
}

fn effect(c: &mut Call<'_>, effect: Effect) -> Done {
    c.world().output.effects.push(effect);
    Ok(0)
}
