//! What the programs of these tests kept: reading it back.

use skep::{Btf, Instance, MapDef};

/// The map of variables that a program keeps values in.
pub(crate) fn variables<'a>(maps: impl IntoIterator<Item = &'a MapDef>) -> Option<&'a MapDef> {
    maps.into_iter().find(|def| def.section.as_deref() == Some(".bss"))
}

/// What a program kept in its variable `kept`, as far as `count` says, out of the bytes of its variables.
pub(crate) fn kept(def: &MapDef, bytes: &[u8]) -> Vec<i64> {
    let btf: &Btf = def.btf.as_ref().expect("variables have types");
    let Some(skep_btf::Type::Datasec(section)) = btf.get(skep_btf::TypeId(def.value_type_id)) else { panic!("no section") };
    let offset = |name| section.vars().find(|var| btf.name(var.ty) == name).expect(name).offset as usize;
    let (count, start) = (offset("count"), offset("kept"));
    let count = u32::from_le_bytes(bytes[count..count + 4].try_into().unwrap()) as usize;
    assert!(count <= 256, "{count} values do not fit");
    (0..count).map(|i| i64::from_le_bytes(bytes[start + i * 8..start + i * 8 + 8].try_into().unwrap())).collect()
}

/// What the programs of an instance kept so far.
pub(crate) fn of(instance: &Instance) -> Vec<i64> {
    let variables = instance.map(".bss").unwrap();
    kept(variables.def(), &variables.get(&[0; 4]).unwrap().unwrap())
}
