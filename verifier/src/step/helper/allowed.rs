//! Which programs may call a helper, and where.

use skep_linux::HelperRow;
use skep_linux::helpers::{Hooks, Proto, Refusal, Sleeps};
use skep_linux::{AttachType, ProgType};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::why::Call;

impl Walk<'_> {
    /// The helper's row and its prototype for this program.
    pub(super) fn allowed_helper(&mut self, id: i32) -> Result<(&'static HelperRow, &'static Proto), Fault> {
        let row = u32::try_from(id).ok().and_then(skep_linux::helper).filter(|row| self.setting.target.since(row.since));
        if self.state.refs.active_locks > 0 && !row.is_some_and(|row| row.under_lock) {
            return Err(Call::UnderLock.into());
        }
        let Some(row) = row else { return Err(unknown(id, self.setting.target).into()) };
        let proto = self.proto_of(row)?;
        if proto.gpl_only && !skep_linux::gpl_compatible(&self.setting.program.license) {
            return Err(Call::Gpl.into());
        }
        self.check_hook(row, proto)?;
        self.check_sleeps(row)?;
        Ok((row, proto))
    }

    fn proto_of(&self, row: &'static HelperRow) -> Result<&'static Proto, Fault> {
        let refused = || Fault::from(Call::CannotUse { name: row.name, id: row.id });
        let (prog, attach) = (self.setting.prog_type(), self.setting.attach);
        let Some(proto) = row.proto(prog, attach) else {
            return match row.refusal(prog, attach) {
                Refusal::CannotUse => Err(refused()),
                Refusal::NotInProbe => Err(Call::NotInProbe.into()),
                // Arguments are checked first.
                Refusal::NotSupported => row.protos.first().ok_or_else(refused),
            };
        };
        if self.setting.may_use(row) { Ok(proto) } else { Err(refused()) }
    }

    /// The program is attached to a function that the helper may be called in.
    fn check_hook(&self, row: &HelperRow, proto: &Proto) -> Result<(), Fault> {
        let allowed = match proto.hooks {
            Hooks::Any => true,
            Hooks::Functions(_) if self.setting.attach == AttachType::TraceIter => true,
            Hooks::Functions(names) if self.setting.prog_type() == ProgType::Tracing => {
                names.contains(&self.hook_name()?.as_str())
            }
            Hooks::NotPrefixed(prefix) => match self.setting.attach {
                AttachType::TraceIter | AttachType::TraceRawTp => true,
                _function => !self.hook_name()?.starts_with(prefix),
            },
            Hooks::Functions(_) | Hooks::SleepableLsm => self.is_sleepable_hook(row)?,
        };
        if allowed { Ok(()) } else { Err(Call::NotInProbe.into()) }
    }

    /// The program is attached to a security hook whose programs may sleep.
    fn is_sleepable_hook(&self, row: &HelperRow) -> Result<bool, Fault> {
        let vmlinux = self.setting.vmlinux().ok_or_else(|| Fault::not_modelled("a kernel whose types are not known"))?;
        match self.setting.prog_type() {
            ProgType::Lsm => Ok(skep_linux::lsm::hook(vmlinux, &self.hook_name()?).is_some_and(|hook| hook.sleepable)),
            other => Err(Fault::not_modelled(format!("{} in programs of type {other:?}", row.name))),
        }
    }

    /// The kernel function that the program is attached to.
    fn hook_name(&self) -> Result<String, Fault> {
        let program = self.setting.program;
        let by_id = program.attach_btf_id.zip(self.setting.vmlinux());
        let name = by_id.map(|(id, btf)| btf.name(skep_btf::TypeId(id)).to_owned()).filter(|name| !name.is_empty());
        name.or_else(|| program.attach_to.clone())
            .ok_or_else(|| Fault::not_modelled("a program that is attached to no known function"))
    }

    fn check_sleeps(&self, row: &HelperRow) -> Result<(), Fault> {
        if row.sleeps != Sleeps::Always {
            return Ok(());
        }
        if !self.state.sleepable {
            return Err(Call::MightSleep.into());
        }
        let refs = &self.state.refs;
        let sections = [
            (refs.rcu_locks > 0, "rcu_read_lock"),
            (refs.preempt_locks > 0, "non-preemptible"),
            (refs.irq_id != 0, "IRQ-disabled"),
        ];
        match sections.into_iter().find(|(open, _)| *open) {
            Some((_, section)) => Err(Call::SleepsIn { name: row.name, id: row.id, section }.into()),
            None => Ok(()),
        }
    }
}

/// The number names no helper of this kernel.
fn unknown(id: i32, target: &skep_linux::Target) -> Call {
    if id == 0 {
        return Call::CannotUse { name: "bpf_unspec", id: 0 };
    }
    let _ = target;
    Call::NoHelper { name: "unknown".to_owned(), id }
}
