//! A refusal in words for people: what is wrong, the lines of the path that led there, what registers held, what to change.

mod advice;
mod follow;
mod held;
mod lines;
mod origin;

use skep::{ProgType, Program, Target};
use skep_isa::{Callee, Code, Insn, Names, Reg};
use skep_linux::HelperRow;
use skep_linux::helpers::Policy;
use skep_verifier::why::Why;
use skep_verifier::{Reject, Verdict};

use super::answer::{Answer, Outcome};
use crate::names;
use follow::Followed;
pub(super) use lines::Shown;

/// A refusal in words.
#[derive(Debug)]
pub(super) struct Explanation {
    /// What is wrong, in one line.
    pub(super) title: String,
    /// The source lines of the path, in the order in which they were executed; the last is where it ends. Instructions where there is no source.
    pub(super) lines: Vec<Shown>,
    /// What registers held that have to do with it.
    pub(super) held: Vec<String>,
    /// What to change.
    pub(super) help: Vec<String>,
    /// The kernel's own words.
    pub(super) linux: Option<String>,
}

/// What all parts look at.
struct Case<'a> {
    program: &'a Program,
    target: &'a Target,
    reject: &'a Reject,
    code: Code,
    message: String,
    /// The register to blame.
    register: Option<Reg>,
    /// CO-RE relocations without an answer, by slot.
    relocations: &'a [(usize, String)],
}

/// The answer in words, unless the program is accepted.
pub(super) fn explain(answer: &Answer, target: &Target) -> Option<Explanation> {
    let message = answer.message()?;
    let (Some(program), Outcome::Report(report)) = (&answer.program, &answer.outcome) else {
        return Some(plain(message));
    };
    match &report.verdict {
        Verdict::Accept => None,
        Verdict::Undecided(undecided) => {
            let lines = undecided.pc.map(|pc| lines::at(program, pc)).into_iter().collect();
            Some(Explanation { lines, ..plain(message) })
        }
        Verdict::Reject(reject) => {
            let code = Code::decode_each(&program.insns);
            let register = blamed(&message, reject, &code);
            let relocations = &answer.relocations;
            Some(Case { program, target, reject, code, message, register, relocations }.explain())
        }
    }
}

fn plain(title: String) -> Explanation {
    Explanation { title, lines: Vec::new(), held: Vec::new(), help: Vec::new(), linux: None }
}

/// The register that the message names, or that memory is accessed through.
fn blamed(message: &str, reject: &Reject, code: &Code) -> Option<Reg> {
    let last = message.lines().last().unwrap_or_default();
    let named = last.split(|c: char| !c.is_ascii_alphanumeric()).find_map(|word| {
        let number = word.strip_prefix('R')?.parse().ok()?;
        Reg::from_number(number)
    });
    let base = || code.insn(reject.pc?).and_then(|insn| origin::base(&insn));
    named.or_else(base)
}

impl Case<'_> {
    fn explain(&self) -> Explanation {
        let row = advice::advice(&self.message);
        let fill = |text: &str| self.fill(text);
        let last = self.message.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let title = row.map_or_else(|| Some(last.to_owned()), |row| fill(row.title)).unwrap_or_else(|| last.to_owned());
        let help = row.map_or(&[][..], |row| row.help).iter().filter_map(|text| fill(text)).collect();
        let said = |text: &str| text.split_once(" is ").is_some_and(|(_, held)| title.contains(held));
        let held = self.held().into_iter().filter(|text| !said(text)).collect();
        Explanation { title, lines: self.lines(), held, help, linux: Some(self.message.clone()) }
    }

    fn insn(&self) -> Option<Insn> {
        self.code.insn(self.reject.pc?)
    }

    /// What a register held.
    fn holds(&self, wanted: Reg) -> Option<String> {
        let found = self.reject.trail.registers.iter().find(|(number, _)| *number == wanted.number());
        found.map(|(_, reg)| held::describe(reg, self.program, self.target))
    }

    /// The text with its names filled in; nothing where one of them is not known here.
    fn fill(&self, text: &str) -> Option<String> {
        let mut filled = text.to_owned();
        let mut put = |name: &str, value: Option<String>| -> Option<()> {
            if filled.contains(name) {
                filled = filled.replace(name, &value?);
            }
            Some(())
        };
        put("{r}", Some(self.register.map_or_else(|| "a register".to_owned(), |reg| reg.to_string())))?;
        put("{held}", Some(self.register.and_then(|reg| self.holds(reg)).unwrap_or_else(|| "not readable".to_owned())))?;
        put("{call}", Some(self.callee().unwrap_or_else(|| "the function".to_owned())))?;
        put("{type}", Some(names::prog_type(self.program.prog_type)))?;
        put("{release}", Some(self.target.release.to_string()))?;
        put("{callers}", self.helper().map(|row| callers(row, self.program.prog_type)))?;
        let elsewhere = || "or let a program of such a type do this part, and share its result in a map".to_owned();
        put("{elsewhere}", self.helper().filter(|row| !serves(row, self.program.prog_type)).map(|_| elsewhere()))?;
        put("{field}", self.field())?;
        put("{wanted}", self.wanted())?;
        put("{relocation}", self.relocation())?;
        Some(filled)
    }

    /// The function that the refused instruction calls.
    fn callee(&self) -> Option<String> {
        let Insn::Call(callee) = self.insn()? else { return None };
        let (name, number) = match callee {
            Callee::Helper(id) => (self.program.helper(id), Some(id)),
            Callee::Kfunc { id, module } => (self.program.kfunc(id, module), Some(id)),
            Callee::Local(_) => {
                let target = self.code.target(self.reject.pc?).ok().flatten()?;
                (self.program.function(target), None)
            }
            Callee::Reg(_) => (None, None),
        };
        match (name, number) {
            (Some(name), _) => Some(format!("{name}()")),
            (None, Some(number)) => Some(format!("function {number}")),
            (None, None) => None,
        }
    }

    fn helper(&self) -> Option<&'static HelperRow> {
        let Insn::Call(Callee::Helper(id)) = self.insn()? else { return None };
        skep_linux::helper(u32::try_from(id).ok()?)
    }

    /// What the context has at the offset that was accessed.
    fn field(&self) -> Option<String> {
        let row = skep_linux::context(self.program.prog_type, self.target.arch)?;
        let (off, size, way) = match self.insn()? {
            Insn::Load { off, size, .. } => (i32::from(off), size, "read"),
            Insn::Store { off, size, .. } => (i32::from(off), size, "write"),
            _ => return None, // no other instruction accesses the context by itself
        };
        let within = |field: &&skep_linux::Field| off >= field.offset && i64::from(off - field.offset) < i64::from(field.size);
        let (name, size) = (row.name, u32::from(size.bytes()));
        Some(match row.fields.iter().find(within) {
            Some(field) if (field.offset, field.size) == (off, size) => {
                let kind = names::prog_type(self.program.prog_type);
                format!("this is field `{}` of struct {name}: programs of type {kind} may not {way} it", field.name)
            }
            Some(field) => format!(
                "these {size} bytes at offset {off} are in field `{}` of struct {name}, which has {} bytes at offset {}: {way} the whole field",
                field.name, field.size, field.offset
            ),
            None => format!("struct {name} has nothing at offset {off} that programs may {way}"),
        })
    }

    /// The CO-RE relocation that was left without an answer.
    fn relocation(&self) -> Option<String> {
        let slot = self.reject.pc?;
        let (_, text) = self.relocations.iter().find(|(of, _)| *of == slot)?;
        Some(format!("the relocation is {text}"))
    }

    /// The kinds that an argument may be, from the message.
    fn wanted(&self) -> Option<String> {
        let (_, kinds) = self.message.lines().last()?.split_once("expected=")?;
        Some(format!("what the function takes there, in the kernel's words: {}", kinds.trim_end_matches([' ', ','])))
    }

    /// Where a reference was taken that the message names: `alloc_insn=5`.
    fn taken(&self) -> Option<usize> {
        let (_, rest) = self.message.split_once("alloc_insn=")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// What the registers held that the message and the instruction name.
    fn held(&self) -> Vec<String> {
        let mut wanted: Vec<Reg> = self.register.into_iter().collect();
        // Of paths and of the form of a program no register is to blame that is not named.
        let operands = self.insn().filter(|_| matches!(self.reject.why, Why::Reg(_) | Why::Mem(_)));
        for reg in operands.map_or_else(Vec::new, |insn| lines::operands(&insn)) {
            if !wanted.contains(&reg) {
                wanted.push(reg);
            }
        }
        wanted.retain(|reg| *reg != Reg::FP);
        wanted.iter().filter_map(|reg| Some(format!("{reg} is {}", self.holds(*reg)?))).collect()
    }

    fn lines(&self) -> Vec<Shown> {
        let path = &self.reject.trail.path;
        let followed = Followed::new(&self.code, path);
        match (path.is_empty(), self.reject.pc) {
            (true, None) => Vec::new(),
            (true, Some(pc)) => vec![lines::at(self.program, pc)],
            (false, _) => {
                let readable = |reg: Reg| self.reject.trail.registers.iter().any(|(number, _)| *number == reg.number());
                let register = self.register.map(|reg| (reg, readable(reg)));
                lines::of_path(self.program, &self.code, &followed, register, self.taken())
            }
        }
    }
}

/// Whether programs of this type may call a helper, if nothing else is in the way.
fn serves(row: &HelperRow, prog_type: ProgType) -> bool {
    row.protos.iter().any(|proto| proto.users.types.contains(prog_type))
}

/// Who may call a helper, in words.
fn callers(row: &HelperRow, prog_type: ProgType) -> String {
    if serves(row, prog_type) {
        return match row.policy {
            Policy::Free => format!("{} needs privileges, or another attach type", row.name),
            Policy::ReadKernel => {
                "this kernel is locked down against it: `--allow read-kernel` checks for one that is not".to_owned()
            }
            Policy::WriteUser => {
                "kernels that are locked down deny it to everybody: `--allow write-user` checks for one that is not".to_owned()
            }
            Policy::Override => {
                "it needs a kernel with CONFIG_BPF_KPROBE_OVERRIDE: `--allow override-return` checks for one that has it"
                    .to_owned()
            }
        };
    }
    let mut known: Vec<ProgType> = row.protos.iter().flat_map(|proto| proto.users.types.iter()).collect();
    known.sort_unstable_by_key(|prog_type| *prog_type as u32);
    known.dedup();
    let types: Vec<String> = known.into_iter().map(names::prog_type).collect();
    match types.len() {
        0 => format!("no program type may call {}", row.name),
        1..=8 => format!("programs of these types may: {}", types.join(", ")),
        _ => format!("programs of {} types may, such as {}", types.len(), types[..6].join(", ")),
    }
}
