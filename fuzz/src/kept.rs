//! Programs that were found to differ once: kept as files, and put to both verifiers again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skep_btf::{Btf, Kind, TypeId};
use skep_conformance::hex::{self, HexError};
use skep_conformance::{PartialSlot, slots};
use skep_isa::{Callee, Code, Insn, RawInsn, Wide};
use skep_linux::{AttachType, MapType, ProgType, Target};
use skep_program::{Func, Kfunc, MapDef, Program, special_fields};

use crate::verdicts::{Said, User};

/// A program, and what Linux says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// What it shows.
    pub about: String,
    /// Program type, by its number.
    pub prog_type: u32,
    /// Attach type, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_type: Option<u32>,
    /// `BPF_F_*`.
    #[serde(default)]
    pub flags: u32,
    /// Who loads it.
    pub user: User,
    /// Its maps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<KeptMap>,
    /// Its types, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub btf: Option<String>,
    /// Where its functions begin, and their types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub funcs: Vec<(usize, u32)>,
    /// The kernel functions that it calls, by slot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kfuncs: Vec<(usize, String)>,
    /// Its instructions, a slot each, as hex.
    pub insns: Vec<String>,
    /// The same, for people.
    pub listing: Vec<String>,
    /// What Linux says.
    pub linux: KeptVerdict,
}

/// A map of a program that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptMap {
    /// Name.
    pub name: String,
    /// Type, by its number.
    pub map_type: u32,
    /// Bytes of key and value, entries, flags.
    pub shape: [u32; 4],
    /// Types of key and value in the types of the program.
    #[serde(default)]
    pub types: [u32; 2],
    /// Its first value, as hex, where it is frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
}

/// What Linux says of a program that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptVerdict {
    /// Accepted, after so many instructions.
    Accept(u64),
    /// Refused, after so many instructions, with these words.
    Reject(u64, String),
}

impl From<&KeptVerdict> for Said {
    fn from(verdict: &KeptVerdict) -> Said {
        match verdict {
            KeptVerdict::Accept(insns) => Said::Accept(*insns),
            KeptVerdict::Reject(insns, words) => Said::Reject(*insns, words.clone()),
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not the object that must be there.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Bytes that are none.
    #[error(transparent)]
    Hex(#[from] HexError),
    /// Instructions that end inside of a slot.
    #[error(transparent)]
    Slots(#[from] PartialSlot),
    /// Types that are none.
    #[error(transparent)]
    Btf(#[from] skep_btf::BtfError),
    /// A number that is none of its kind.
    #[error("{0} {1} is not known")]
    Unknown(&'static str, u32),
    /// A kernel function that the target does not have.
    #[error("the target has no kernel function {0:?}")]
    Kfunc(String),
}

impl Kept {
    /// The program, and what was said of it. Maps that it does not name are left out. `None` if there is no verdict, or if its maps have types
    /// that are not the program's.
    pub fn new(about: &str, program: &Program, target: &Target, user: User, said: &Said) -> Option<Kept> {
        let linux = match said {
            Said::Accept(insns) => KeptVerdict::Accept(*insns),
            Said::Reject(insns, words) => KeptVerdict::Reject(*insns, words.clone()),
            Said::None(_) => return None,
        };
        let program = crate::runs::with_its_maps(program);
        let code = Code::decode_each(&program.insns);
        let mut kfuncs = Vec::new();
        for (slot, insn) in code.iter() {
            if let Insn::Call(Callee::Kfunc { id, .. }) = insn {
                kfuncs.push((slot, target.btf()?.name(TypeId(id as u32)).to_owned()));
            }
        }
        let own = |def: &MapDef| match (&def.btf, &program.btf) {
            (None, _) => true,
            (Some(of_map), Some(own)) => Arc::ptr_eq(of_map, own),
            (Some(_), None) => false,
        };
        if !program.maps.iter().all(|def| own(def)) {
            return None;
        }
        let map = |def: &Arc<MapDef>| KeptMap {
            name: def.name.clone(),
            map_type: def.map_type as u32,
            shape: [def.key_size, def.value_size, def.max_entries, def.flags],
            types: [def.key_type_id, def.value_type_id],
            frozen: def.initial.as_deref().filter(|_| def.frozen).map(hex::encode),
        };
        Some(Kept {
            about: about.to_owned(),
            prog_type: program.prog_type as u32,
            attach_type: program.attach_type.map(|attach| attach as u32),
            flags: program.flags,
            user,
            maps: program.maps.iter().map(map).collect(),
            btf: program.btf.as_ref().map(|btf| hex::encode(btf.raw())),
            funcs: program.funcs.iter().map(|func| (func.start, func.type_id)).collect(),
            kfuncs,
            insns: program.insns.iter().map(|slot| hex::encode(&slot.to_le_bytes())).collect(),
            listing: code.listing(&program).to_string().lines().map(str::to_owned).collect(),
            linux,
        })
    }

    /// The program for a target.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn program(&self, target: &Target) -> Result<Program, KeptError> {
        let unknown = |what, number| KeptError::Unknown(what, number);
        let prog_type = ProgType::from_u32(self.prog_type).ok_or(unknown("program type", self.prog_type))?;
        let mut insns: Vec<RawInsn> = slots(&hex::decode(&self.insns.concat())?)?;
        let mut kfuncs = Vec::new();
        for (slot, name) in &self.kfuncs {
            let id = target.btf().and_then(|btf| btf.find(name, Kind::Func));
            let id = id.ok_or_else(|| KeptError::Kfunc(name.clone()))?.0 as i32;
            insns.get_mut(*slot).into_iter().for_each(|insn| insn.imm = id);
            kfuncs.push(Kfunc { name: name.clone(), id, present: true });
        }
        let btf = match &self.btf {
            Some(text) => Some(Arc::new(Btf::parse(&hex::decode(text)?)?)),
            None => None,
        };
        let mut maps = Vec::new();
        for map in &self.maps {
            let map_type = MapType::from_u32(map.map_type).ok_or(unknown("map type", map.map_type))?;
            let [key_size, value_size, max_entries, flags] = map.shape;
            let [key_type_id, value_type_id] = map.types;
            let typed = btf.clone().filter(|_| value_type_id != 0);
            maps.push(Arc::new(MapDef {
                key_size,
                value_size,
                max_entries,
                flags,
                key_type_id,
                value_type_id,
                special: typed.as_ref().map(|btf| special_fields(btf, TypeId(value_type_id))).unwrap_or_default(),
                btf: typed,
                frozen: map.frozen.is_some(),
                initial: map.frozen.as_deref().map(hex::decode).transpose()?,
                ..MapDef::new(&map.name, map_type)
            }));
        }
        let func = |(start, type_id): &(usize, u32)| {
            let btf = btf.as_deref();
            let id = TypeId(*type_id);
            let global =
                matches!(btf.and_then(|btf| btf.get(id)), Some(skep_btf::Type::Func(func)) if func.linkage.number() == 1);
            let name = btf.map_or("", |btf| btf.name(id)).to_owned();
            Func { start: *start, name, type_id: *type_id, global: global && *start > 0 }
        };
        Ok(Program {
            attach_type: self.attach_type.and_then(AttachType::from_u32),
            flags: self.flags,
            funcs: self.funcs.iter().map(func).collect(),
            btf: btf.clone(),
            maps,
            kfuncs,
            ..Program::bare("kept", prog_type, insns)
        })
    }

    /// All files of a folder, by name.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn read_all(folder: &Path) -> Result<Vec<(String, Kept)>, KeptError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| KeptError::File { path, error }
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
            paths.push(entry.map_err(failed(folder))?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let mut all = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            all.push((name, serde_json::from_str(&text)?));
        }
        Ok(all)
    }

    /// Writes it to a folder.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<PathBuf, KeptError> {
        let path = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(self)? + "\n";
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
        written.map_err(|error| KeptError::File { path: path.clone(), error })?;
        Ok(path)
    }
}

/// The same program without types, where it needs none.
pub fn untyped(program: &Program) -> Program {
    let maps = program.maps.iter().map(|def| Arc::new(MapDef { btf: None, ..def.without_types() })).collect();
    Program { btf: None, funcs: Vec::new(), maps, ..program.clone() }
}

/// Whether a program names a map whose values have special fields.
pub fn needs_types(program: &Program) -> bool {
    Code::decode_each(&program.insns).iter().any(|(_, insn)| match insn {
        Insn::LoadWide { value: Wide::MapIndex(index) | Wide::MapIndexValue { index, .. }, .. } => {
            usize::try_from(index).ok().and_then(|at| program.maps.get(at)).is_some_and(|def| !def.special.is_empty())
        }
        _other => false,
    })
}
