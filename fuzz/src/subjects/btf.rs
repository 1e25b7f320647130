//! `.BTF` and `.BTF.ext`.

use fastrand::Rng;
use skep_btf::{Btf, BtfExt, Kind as TypeKind, Layout, TypeId};

use super::{Case, Pool, Subject, Verdict};
use crate::areas::{self, Area, Kind, Map};
use crate::seeds::{Seed, section};

/// Types that a case looks at closely.
const LOOKED_AT: usize = 256;

/// Asks everything that can be asked about types.
pub(super) fn explore(btf: &Btf, rng: &mut Rng) -> Option<String> {
    let count = btf.len();
    let step = (count as usize / LOOKED_AT).max(1);
    let mut bytes = vec![0xa5; 256];
    for id in btf.ids().step_by(step) {
        let Ok(_) = btf.ty(id) else { return Some(format!("type {id:?} of {count} is not there")) };
        let (name, kind) = (btf.name(id), btf.kind(id));
        let resolved = btf.resolve(id);
        if resolved.0 >= count || btf.skip_modifiers(id).0 >= count || btf.referred(id).is_some_and(|to| to.0 >= count) {
            return Some(format!("type {id:?} leads out of the {count} types"));
        }
        if !name.is_empty() && !matches!(kind, TypeKind::DeclTag | TypeKind::TypeTag) && btf.find(name, kind).is_none() {
            return Some(format!("{kind:?} `{name}` is not found by its name"));
        }
        let _ = (btf.type_name(id), btf.declaration(id, "x"), btf.c_definition(id), btf.c_definitions(&[id]));
        let sizes = (btf.size_of(id), btf.align_of(id));
        btf.decl_tags(id).count();
        if let (Ok(size), _) = sizes
            && size <= 4096
        {
            let layout = Layout::new(btf, id);
            bytes.resize(size as usize, 0xa5);
            if let Ok(value) = btf.read(id, &bytes) {
                value.to_string();
            }
            for path in ["a", "[0]", "x.y", "counter", "[1].a"] {
                let _ = btf.walk(id, path);
                let _ = layout.get(&bytes, path);
                let _ = layout.set(&mut bytes, path, rng.i64(..));
            }
        }
    }
    let _ = btf.c_header();
    let _ = btf.string(rng.u32(..));
    (btf.get(TypeId(count)).is_some()).then(|| "a type beyond the last".to_owned())
}

/// `.BTF` by itself.
pub(super) struct Types(Pool);

impl Types {
    pub(super) fn new(seeds: &[Seed]) -> Types {
        Types(Pool::new(seeds, |bytes| Map::new(areas::btf(bytes, 0), &[])))
    }
}

impl Subject for Types {
    fn seeds(&self) -> usize {
        self.0.seeds.len()
    }

    fn case(&self, rng: &mut Rng) -> Case {
        self.0.case(rng)
    }

    fn run(&self, input: &[u8], rng: &mut Rng) -> Verdict {
        let btf = match Btf::parse(input) {
            Ok(btf) => btf,
            Err(error) => return Verdict::of(Err::<(), _>(error)),
        };
        match explore(&btf, rng) {
            Some(broken) => Verdict::Broken(broken),
            None => Verdict::Accepted,
        }
    }

    /// Values have a name and a number for each field.
    fn allowance(&self, len: usize) -> usize {
        (4 << 20) + 64 * len
    }
}

/// `.BTF` and `.BTF.ext` of one object. An input is the length of the first as four bytes, then both.
pub(super) struct Ext(Pool);

fn parts(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = input.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

fn map(input: &[u8]) -> Map {
    let Some((btf, ext)) = parts(input) else { return Map::of_one_kind(Kind::Bytes, input.len()) };
    let start = 4 + btf.len();
    // Now and then the types change too: then what the second section names is not there.
    let mut found = areas::btf(btf, 4);
    found.push(Area { kind: Kind::BtfExt, range: start..start + ext.len() });
    Map::new(found, &[Kind::BtfExt])
}

impl Ext {
    pub(super) fn new(objects: &[Seed]) -> Ext {
        let seeds: Vec<Seed> = objects
            .iter()
            .filter_map(|object| {
                let (btf, ext) = (section(&object.bytes, ".BTF")?, section(&object.bytes, ".BTF.ext")?);
                let bytes = [&(btf.len() as u32).to_le_bytes()[..], &btf, &ext].concat();
                Some(Seed { name: object.name.clone(), bytes })
            })
            .collect();
        Ext(Pool::new(&seeds, map))
    }
}

impl Subject for Ext {
    fn seeds(&self) -> usize {
        self.0.seeds.len()
    }

    fn case(&self, rng: &mut Rng) -> Case {
        self.0.case(rng)
    }

    fn run(&self, input: &[u8], _rng: &mut Rng) -> Verdict {
        let Some((btf, ext)) = parts(input) else { return Verdict::Refused("Parts".into()) };
        let btf = match Btf::parse(btf) {
            Ok(btf) => btf,
            Err(error) => return Verdict::of(Err::<(), _>(error)),
        };
        match BtfExt::parse(ext, &btf) {
            Ok(ext) => {
                for line in ext.line_info.iter().flat_map(|section| &section.records) {
                    let _ = (line.file(&btf), line.text(&btf));
                }
                for relo in ext.core_relos.iter().flat_map(|section| &section.records) {
                    skep_btf::core_relo::describe(&btf, relo);
                }
                Verdict::Accepted
            }
            Err(error) => Verdict::of(Err::<(), _>(error)),
        }
    }
}
