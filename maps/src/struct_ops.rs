//! `BPF_MAP_TYPE_STRUCT_OPS`: a kernel struct of function pointers that programs fill. Only its bytes are kept here; what the kernel does
//! with them is not simulated.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep_linux::Errno;
use skep_program::MapDef;

use crate::array::index_of;
use crate::flags::{BPF_F_LINK, BPF_F_VTYPE_BTF_OBJ_FD};
use crate::{Base, CreateOptions, Map};

/// The value of a struct_ops map, once it is set.
#[derive(Debug)]
pub struct StructOps {
    base: Base,
    value: Mutex<Option<Vec<u8>>>,
}

impl StructOps {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<StructOps, Errno> {
        let flags_fit = def.flags & !(BPF_F_LINK | BPF_F_VTYPE_BTF_OBJ_FD) == 0;
        if def.key_size != 4 || def.max_entries != 1 || !flags_fit || def.kernel_value_type_id == 0 {
            return Err(Errno::EINVAL);
        }
        Ok(StructOps { base: Base::new(def, options, 1), value: Mutex::default() })
    }

    fn value(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes that were set, if any.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.value().clone()
    }
}

impl Map for StructOps {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        if index_of(key)? != 0 {
            return Err(Errno::ENOENT);
        }
        match &*self.value() {
            Some(bytes) => value.copy_from_slice(bytes),
            None => value.fill(0),
        }
        Ok(())
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        if index_of(key)? != 0 {
            return Err(Errno::E2BIG);
        }
        let mut there = self.value();
        if there.is_some() {
            return Err(Errno::EBUSY);
        }
        *there = Some(value.to_vec());
        Ok(())
    }

    fn op_delete(&self, _key: &[u8]) -> Result<(), Errno> {
        if self.base.def().flags & BPF_F_LINK != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        self.value().take().map(drop).ok_or(Errno::ENOENT)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        match key.map(index_of).transpose()? {
            Some(0) => Err(Errno::ENOENT),
            _ => Ok(vec![0; 4]),
        }
    }
}
