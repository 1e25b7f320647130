//! Tasks as kernel objects.

use std::collections::BTreeMap;

use crate::{KernelObjectError, Mapping, Task, World};

/// Tasks that have a `task_struct`.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    /// Of the current task: the address of its `task_struct`, and what it was last filled from.
    current: Option<(u64, Option<Task>)>,
    /// The task that all descend from, pid 1.
    init: Option<(u64, Task)>,
    /// The others.
    others: Vec<(u64, Task)>,
    /// Addresses of `pt_regs`, by task.
    registers: BTreeMap<u64, u64>,
    /// Addresses of `vm_area_struct`, by first address of the mapping.
    mappings: BTreeMap<u64, u64>,
}

impl Tasks {
    /// The tasks beside the current one: the address of the `task_struct`, and what it was made from.
    pub fn others(&self) -> impl Iterator<Item = (u64, &Task)> {
        self.others.iter().map(|(addr, task)| (*addr, task))
    }
}

impl World {
    /// Address of the `task_struct` of the current task, made when it is asked for first and filled from [`World::task`].
    ///
    /// # Errors
    /// A target without BTF.
    pub fn current_task(&mut self) -> Result<u64, KernelObjectError> {
        if let Some((addr, _)) = self.tasks.current {
            return Ok(addr);
        }
        let addr = self.new_task_object(self.task.pid)?;
        self.tasks.current = Some((addr, None));
        self.fill_task()?;
        Ok(addr)
    }

    /// A `task_struct` that is its own leader and a child of the first task, or of nobody if it is that itself.
    fn new_task_object(&mut self, pid: u32) -> Result<u64, KernelObjectError> {
        let parent = if pid == INIT { None } else { Some(self.init_task()?) };
        let addr = self.new_object("task_struct")?;
        let parent = parent.unwrap_or(addr);
        for (path, to) in [("group_leader", addr), ("real_parent", parent), ("parent", parent)] {
            self.set_if_there(addr, path, to)?;
        }
        Ok(addr)
    }

    /// The `task_struct` of the first task, made when it is asked for first.
    fn init_task(&mut self) -> Result<u64, KernelObjectError> {
        if let Some((addr, _)) = self.tasks.init {
            return Ok(addr);
        }
        let addr = self.new_task_object(INIT)?;
        let task = Task { pid: INIT, tgid: INIT, comm: "init".to_owned(), ..Task::default() };
        self.fill(addr, &task)?;
        self.tasks.init = Some((addr, task));
        Ok(addr)
    }

    /// Writes [`World::task`] into its `task_struct`, if that was made already and the task is another than then.
    ///
    /// # Errors
    /// A field of another shape than in any kernel.
    pub fn fill_task(&mut self) -> Result<(), KernelObjectError> {
        let Some((addr, filled)) = &self.tasks.current else {
            return Ok(());
        };
        if filled.as_ref() == Some(&self.task) {
            return Ok(());
        }
        let (addr, task) = (*addr, self.task.clone());
        self.fill(addr, &task)?;
        self.tasks.current = Some((addr, Some(task)));
        Ok(())
    }

    /// Writes what is known of a task into its `task_struct`.
    fn fill(&mut self, addr: u64, task: &Task) -> Result<(), KernelObjectError> {
        const KERNEL_THREAD: u32 = 0x20_0000;
        self.set_if_there(addr, "pid", task.pid)?;
        self.set_if_there(addr, "tgid", task.tgid)?;
        self.set_if_there(addr, "comm", task.comm.as_str())?;
        self.set_if_there(addr, "flags", if task.kernel_thread { KERNEL_THREAD } else { 0 })?;
        for cred in ["cred", "real_cred"] {
            for (field, value) in [("uid", task.uid), ("euid", task.uid), ("gid", task.gid), ("egid", task.gid)] {
                self.set_if_there(addr, &format!("{cred}.{field}.val"), value)?;
            }
        }
        match self.cgroup_object(task.cgroup_id) {
            Ok(Some(cgroup)) => self.set_if_there(addr, "cgroups.dfl_cgrp", cgroup),
            Ok(None) | Err(KernelObjectError::NoType(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Adds a task beside the current one, and gives the address of its `task_struct`.
    ///
    /// # Errors
    /// A target without BTF.
    pub fn add_task(&mut self, task: Task) -> Result<u64, KernelObjectError> {
        let addr = self.new_task_object(task.pid)?;
        self.fill(addr, &task)?;
        self.tasks.others.push((addr, task));
        Ok(addr)
    }

    /// The task whose `task_struct` begins at an address.
    pub fn task_at(&self, addr: u64) -> Option<&Task> {
        match self.tasks.current {
            Some((current, _)) if current == addr => Some(&self.task),
            Some(_) | None => self
                .tasks
                .init
                .iter()
                .map(|(init, task)| (*init, task))
                .chain(self.tasks.others())
                .find(|(other, _)| *other == addr)
                .map(|(_, task)| task),
        }
    }

    /// Address of the `task_struct` of the task with a thread id; `None` if there is no such task.
    ///
    /// # Errors
    /// A target without BTF.
    pub fn task_by_pid(&mut self, pid: u32) -> Result<Option<u64>, KernelObjectError> {
        if pid == self.task.pid {
            return self.current_task().map(Some);
        }
        let other = self.tasks.others().find(|(_, task)| task.pid == pid).map(|(addr, _)| addr);
        match other {
            Some(addr) => Ok(Some(addr)),
            None if pid == INIT => self.init_task().map(Some),
            None => Ok(None),
        }
    }

    /// Address of the `pt_regs` that a task entered the kernel with, made, all zero, when it is asked for first.
    ///
    /// # Errors
    /// A target without BTF.
    pub fn task_registers(&mut self, task: u64) -> Result<u64, KernelObjectError> {
        if let Some(addr) = self.tasks.registers.get(&task) {
            return Ok(*addr);
        }
        let addr = self.new_object("pt_regs")?;
        self.tasks.registers.insert(task, addr);
        Ok(addr)
    }

    /// Address of the `vm_area_struct` of a mapping, filled from it. There is one for each first address.
    ///
    /// # Errors
    /// A target without BTF.
    pub fn mapping_object(&mut self, mapping: &Mapping) -> Result<u64, KernelObjectError> {
        let addr = match self.tasks.mappings.get(&mapping.start) {
            Some(addr) => *addr,
            None => {
                let addr = self.new_object("vm_area_struct")?;
                self.tasks.mappings.insert(mapping.start, addr);
                addr
            }
        };
        self.set_if_there(addr, "vm_start", mapping.start)?;
        self.set_if_there(addr, "vm_end", mapping.end)?;
        self.set_if_there(addr, "vm_flags", mapping.flags)?;
        self.set_if_there(addr, "vm_pgoff", mapping.offset >> PAGE_SHIFT)?;
        Ok(addr)
    }
}

/// Process id of the first task.
const INIT: u32 = 1;

/// Offsets in mappings are counted in pages.
const PAGE_SHIFT: u32 = 12;

#[cfg(test)]
mod tests {
    use crate::Task;
    use crate::objects::tests::world;
    use skep_btf::Value;

    #[test]
    fn the_current_task_is_made_from_the_world() {
        let mut world = world();
        world.task.tgid = 42;
        let task = world.current_task().unwrap();
        assert_eq!(world.get(task, "tgid").unwrap(), Value::Signed(42));
        let init = world.task_by_pid(1).unwrap().unwrap();
        assert_eq!(world.get(task, "real_parent").unwrap(), Value::Pointer(init));
        assert_eq!(world.get(init, "real_parent").unwrap(), Value::Pointer(init));
        assert_eq!(world.get(task, "real_parent.comm").unwrap(), Value::Text(b"init".to_vec()));
        world.set(task, "real_parent.tgid", 5).unwrap();
        assert_eq!(world.current_task().unwrap(), task);
        assert_eq!(world.get(task, "tgid").unwrap(), Value::Signed(42));
        world.task.tgid = 43;
        world.fill_task().unwrap();
        assert_eq!(world.get(task, "tgid").unwrap(), Value::Signed(43));
    }

    #[test]
    fn tasks_are_found_by_pid() {
        let mut world = world();
        let other = world.add_task(Task { pid: 7, tgid: 7, ..Task::default() }).unwrap();
        assert_eq!(world.task_by_pid(7).unwrap(), Some(other));
        assert_eq!(world.task_at(other).map(|task| task.pid), Some(7));
        let current = world.current_task().unwrap();
        assert_eq!(world.task_by_pid(world.task.pid).unwrap(), Some(current));
        assert_eq!(world.task_by_pid(8).unwrap(), None);
        assert!(world.task_at(other + 8).is_none());
    }
}
