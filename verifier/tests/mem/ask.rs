//! Programs that are put to skep and to the kernel of this host.

use std::sync::{Arc, OnceLock};

use skep_btf::{Btf, BtfBuilder, IntEncoding, Linkage, TypeDef, TypeId};
use skep_isa::asm::kernel::assemble;
use skep_isa::{Code, NoNames};
use skep_kernel::{Kernel, LoadError, Loaded, LogLevel, Map};
use skep_linux::{Arch, ProgType, Release, Target};
use skep_program::{Func, Program};
use skep_verifier::{Options, Privileges, Verdict, verify};

/// Whether the kernel can be asked: the rules are those of 6.18. Says why not.
pub(crate) fn can_ask() -> bool {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return false;
    }
    if !Kernel::release().starts_with("6.18.") {
        println!("skipped: needs Linux 6.18");
        return false;
    }
    true
}

/// This host's kernel.
fn host() -> &'static Target {
    static HOST: OnceLock<Target> = OnceLock::new();
    let read = || {
        let bytes = std::fs::read("/sys/kernel/btf/vmlinux").expect("a kernel with BTF");
        let btf = Btf::parse(&bytes).expect("the kernel's BTF");
        Target::new(Release::new(6, 18), Arch::X86_64).with_btf(Arc::new(btf))
    };
    HOST.get_or_init(read)
}

/// The types of this host's kernel.
pub(crate) fn vmlinux() -> &'static Btf {
    host().btf().expect("the kernel's BTF")
}

/// A program of this type.
pub(crate) fn program(prog_type: ProgType, text: &str) -> Program {
    Program::bare("test", prog_type, assemble(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
}

/// The same with types: each function takes a pointer and returns `int`. `starts` are the slots where functions begin.
pub(crate) fn typed(program: Program, starts: &[usize]) -> Program {
    let mut types = BtfBuilder::new();
    let int = types.int("int", 4, IntEncoding::Signed);
    let pointer = types.ptr(TypeId(0));
    let proto = types.add(TypeDef::FuncProto { ret: int, params: vec![("ctx".to_owned(), pointer)] });
    let funcs = starts.iter().enumerate().map(|(number, start)| {
        let name = format!("f{number}");
        let id = types.add(TypeDef::Func { name: name.clone(), proto, linkage: Linkage::Static });
        Func { start: *start, name, type_id: id.0, global: false }
    });
    let funcs = funcs.collect();
    Program { funcs, btf: Some(Arc::new(types.build().expect("types"))), ..program }
}

/// What one of the two says: words of a refusal, and processed instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The words; `None` if the program is accepted.
    pub(crate) refusal: Option<String>,
    /// Processed instructions.
    pub(crate) insns: u64,
}

/// Set where the one who asks has `CAP_BPF` and `CAP_NET_ADMIN` alone.
pub(crate) const FEW_CAPABILITIES: &str = "SKEP_FEW_CAPABILITIES";

fn skep(program: &Program) -> Answer {
    let few = std::env::var_os(FEW_CAPABILITIES).is_some();
    let privileges = Privileges { perfmon: !few, sys_admin: !few, ..Privileges::ALL };
    let report = verify(program, host(), &Options { privileges, ..Options::default() });
    let refusal = match report.verdict {
        Verdict::Accept => None,
        Verdict::Reject(reject) => Some(reject.why.to_string()),
        Verdict::Undecided(undecided) => Some(format!("undecided at {:?}: {}", undecided.pc, undecided.what)),
    };
    Answer { refusal, insns: u64::from(report.stats.insns_processed) }
}

/// Whether skep takes it.
pub(crate) fn accepts(program: &Program) -> bool {
    skep(program).refusal.is_none()
}

/// What the kernel says, the words cut to as many lines as `lines`. Maps are made, unless they are there.
fn kernel(program: &Program, maps: Option<&[Arc<Map>]>, lines: usize) -> (Answer, String) {
    let loaded = match maps {
        None => Loaded::create(program, LogLevel::States),
        Some(maps) => Loaded::with_maps(program, maps.to_vec(), LogLevel::States),
    };
    match loaded {
        Ok(loaded) => (Answer { refusal: None, insns: loaded.processed().unwrap_or(0) }, loaded.log),
        Err(error) => {
            let insns = error.processed().unwrap_or(0);
            let LoadError::Refused { log, errno } = error else { panic!("{error}") };
            // Some words of the kernel do not end their line.
            let log = log.replace("verification time", "\nverification time");
            let said = log.lines().take_while(|line| !line.starts_with("processed ") && !line.starts_with("verification time"));
            let said: Vec<&str> = said.filter(|line| !line.is_empty()).collect();
            let words = said[said.len() - lines.min(said.len())..].join("\n");
            (Answer { refusal: Some(words), insns }, format!("{log}{errno}"))
        }
    }
}

/// What both say of a program.
pub(crate) struct Compared {
    /// The kernel takes it.
    pub(crate) accepted: bool,
    /// skep does not know.
    pub(crate) undecided: bool,
    /// What they say, if it is not the same down to the words and the number of processed instructions.
    pub(crate) difference: Option<String>,
}

pub(crate) fn compare(program: &Program) -> Compared {
    compare_over(program, None)
}

/// The same over maps that are there.
pub(crate) fn compare_over(program: &Program, maps: Option<&[Arc<Map>]>) -> Compared {
    let ours = skep(program);
    let lines = ours.refusal.as_ref().map_or(1, |words| words.lines().count());
    let (theirs, log) = kernel(program, maps, lines);
    // Where the kernel gives no reason, the last line of its log is about something else.
    let silent = ours.refusal.as_deref() == Some("") && theirs.refusal.is_some() && ours.insns == theirs.insns;
    let difference = (ours != theirs && !silent).then(|| format!("skep: {ours:?}\nlinux: {theirs:?}\n{log}"));
    let undecided = ours.refusal.is_some_and(|words| words.starts_with("undecided"));
    Compared { accepted: theirs.refusal.is_none(), undecided, difference }
}

/// Both say the same.
pub(crate) fn same(program: &Program) {
    if let Some(difference) = compare(program).difference {
        let code = Code::decode_each(&program.insns);
        panic!("{}\n{difference}", code.listing(&NoNames));
    }
}
