//! What refusals mean to a C programmer, and what to change. Rows are found by the kernel's own words, which users know and tools search for.
//!
//! In texts, `{r}` is the register that is to blame, `{held}` what it held, `{call}` the function that is called, `{type}` the type of the
//! program, `{release}` the kernel's.

/// A row: words of the kernel's message, in their order, and our own.
#[derive(Debug)]
pub(super) struct Advice {
    words: &'static [&'static str],
    /// What is wrong.
    pub(super) title: &'static str,
    /// What to change.
    pub(super) help: &'static [&'static str],
}

/// The row for a message. The first that fits is the one.
pub(super) fn advice(message: &str) -> Option<&'static Advice> {
    ADVICE.iter().find(|row| {
        let mut rest = message;
        row.words.iter().all(|word| match rest.find(word) {
            Some(at) => {
                rest = &rest[at + word.len()..];
                true
            }
            None => false,
        })
    })
}

const fn row(words: &'static [&'static str], title: &'static str, help: &'static [&'static str]) -> Advice {
    Advice { words, title, help }
}

const BOUND: &str =
    "bound it right before it is used: `if (len > MAX) return 0;`, or `len &= MAX - 1;` where MAX is a power of two";
const COPIES: &str = "test the very variable that is used: the compiler may keep the tested value and the used one in two registers; \
                      an unsigned type, or `barrier_var(len)` after the test, keeps them one";
const SPLIT: &str = "make large static functions global (leave out `static`): a global function is verified once, by itself";
const LOOPS: &str =
    "make loops shorter, or run their bodies by bpf_loop(), bpf_for() or bpf_for_each_map_elem(), which do not multiply paths";
const TOP: &str = "`skep check --top-lines 10` says which lines cost most";

static ADVICE: &[Advice] = &[
    row(
        &["unknown#195896080"],
        "this code needs something that the target kernel does not have: a CO-RE relocation found no answer",
        &[
            "{relocation}",
            "guard it, so that the verifier sees that it is never reached: `if (bpf_core_field_exists(p->field))`, `bpf_core_type_exists`, `bpf_core_enum_value_exists`",
            "`skep info --relocations` lists the relocations of each instruction",
        ],
    ),
    row(
        &["invalid func "],
        "{call} is no helper of Linux {release}",
        &["where a newer helper may be missing, ask first: `if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_...))`"],
    ),
    row(
        &["program of this type cannot use helper "],
        "a program of type {type} cannot call {call}",
        &["{callers}", "{elsewhere}"],
    ),
    row(
        &["calling kernel function ", "is not allowed"],
        "a program of type {type} cannot call {call}",
        &["each kernel function is registered for some program types only"],
    ),
    row(
        &["cannot call GPL-restricted function"],
        "{call} is only for programs under the GPL",
        &["declare the licence: `char LICENSE[] SEC(\"license\") = \"GPL\";` (or \"Dual MIT/GPL\" and the like)"],
    ),
    row(
        &["R0 !read_ok"],
        "the program ends, or uses the result of a function, where nothing was put into r0 on this path",
        &["return a value on every path: `return 0;` at the end, and a value in every early `return`"],
    ),
    row(
        &["!read_ok"],
        "{r} is read, but nothing was written to it on this path",
        &[
            "give the variable a value where it is declared",
            "r1 to r5 are empty after every call: in assembly, save what is needed in r6 to r9",
        ],
    ),
    row(
        &["invalid mem access 'scalar'"],
        "{r} is used as an address, but it is {held}",
        &[
            "read kernel memory by bpf_probe_read_kernel() or BPF_CORE_READ(), user memory by bpf_probe_read_user()",
            "a pointer turns into a number by arithmetic other than adding and subtracting, and by going through memory other than the stack",
        ],
    ),
    row(
        &["invalid mem access '", "_or_null"],
        "{r} may be NULL where it is used",
        &["test it before it is used: `if (!p) return 0;`"],
    ),
    row(
        &["null-check it first"],
        "{r} may be NULL where something is added to it",
        &["test it before the arithmetic: `if (!p) return 0;`"],
    ),
    row(
        &["Possibly NULL pointer passed to"],
        "{call} is given a pointer that may be NULL",
        &["test it before the call: `if (!p) return 0;`"],
    ),
    row(
        &["invalid mem access '"],
        "memory is accessed through {r}, which is {held}: that is not memory a program may access",
        &[],
    ),
    row(&["invalid bpf_context access"], "the context of a program of type {type} cannot be accessed like this", &["{field}"]),
    row(
        &["dereference of modified ctx ptr"],
        "the context is accessed through a pointer to which something was added first",
        &[
            "access fields through the context pointer itself: `ctx->field`",
            "where the compiler computes the address of a field before (often after inlining, or in a loop), read the field into a variable earlier",
        ],
    ),
    row(
        &["variable ctx access"],
        "the context is accessed at an offset that is not a constant",
        &["read each field by its name; a loop over fields must be unrolled: `#pragma unroll`"],
    ),
    row(&["unbounded memory access, use 'var &= const'"], "the size in {r} has no upper bound", &[BOUND, COPIES]),
    row(&["unbounded memory access"], "the offset of {r} has no upper bound", &[BOUND, COPIES]),
    row(
        &["invalid zero-sized read"],
        "the size in {r} may be 0, and {call} reads at least one byte",
        &["test it before: `if (len == 0 || len > sizeof(buffer)) return 0;`", COPIES],
    ),
    row(
        &["min value is negative"],
        "{r} may be negative",
        &["use an unsigned type, or test `if (x < 0) return 0;` before", COPIES],
    ),
    row(
        &["invalid access to packet"],
        "the packet may be shorter than what is accessed here",
        &[
            "compare with the end first: `if ((void *)(p + 1) > (void *)(long)ctx->data_end) return XDP_PASS;`",
            "test the very pointer that is used; after helpers that move the packet, read `data` and `data_end` again",
        ],
    ),
    row(
        &["offset is outside of the packet"],
        "the packet may be shorter than what is accessed here",
        &["compare with the end of the packet first: `if ((void *)(p + 1) > (void *)(long)ctx->data_end) return XDP_PASS;`"],
    ),
    row(
        &["invalid access to map value"],
        "the access leaves the value of the map",
        &["compare the index with the number of elements first: `if (i >= MAX) return 0;`", COPIES],
    ),
    row(&["outside of the allowed memory range"], "the access leaves the memory that {r} points to", &[BOUND, COPIES]),
    row(&["invalid access to memory"], "the access leaves the memory that {r} points to", &[BOUND]),
    row(
        &["invalid read from stack"],
        "bytes of the stack are read to which nothing was written on this path",
        &["clear the whole variable, padding too: `struct key key = {};`, or __builtin_memset(&key, 0, sizeof(key))"],
    ),
    row(
        &["stack R", "off="],
        "the access leaves the stack of the function: it has 512 bytes",
        &["keep large buffers in a per-CPU array map", BOUND],
    ),
    row(
        &["BPF program is too large. Processed"],
        "the verifier gives up after 1,000,000 instructions: the program has too many paths",
        &[TOP, LOOPS, SPLIT],
    ),
    row(
        &["The sequence of ", "jumps is too complex"],
        "the verifier gives up: more than 8,192 branches of one path wait to be followed",
        &[TOP, LOOPS, SPLIT],
    ),
    row(
        &["back-edge from insn"],
        "here is a loop, and who loads the program may not use loops",
        &[
            "loops need CAP_BPF (and Linux 5.3); for older kernels unroll them: `#pragma unroll`",
            "a loop without an end or with one that depends on nothing is refused always",
        ],
    ),
    row(
        &["infinite loop detected"],
        "a loop comes round with nothing changed that the verifier can see: it may never end",
        &[
            "count in the loop, and end it at a constant: `for (i = 0; i < MAX; i++)`",
            "or use bpf_for(), bpf_loop() or bpf_repeat()",
        ],
    ),
    row(
        &["has to have BTF in order to use "],
        "the map has no type information, without which its special fields (timers, locks, kernel pointers) are not known",
        &[
            "define the map in SEC(\".maps\") with __type(key, ...) and __type(value, ...), not with sizes",
            "compile with -g, and load with the object's BTF",
        ],
    ),
    row(
        &["Unreleased reference"],
        "something that must be given back is not given back on this path",
        &[
            "release it on every path, early returns too: bpf_sk_release(), bpf_ringbuf_submit() or bpf_ringbuf_discard(), bpf_task_release(), ...",
        ],
    ),
    row(&["would lead to reference leak"], "something that must be given back is still held here", &["release it before"]),
    row(
        &["should have been in ["],
        "the program may return a value that a program of type {type} must not return",
        &["return one of the values that the hook knows"],
    ),
    row(&["R", " type=", "expected="], "{call} is given the wrong kind of value in {r}", &["{wanted}"]),
    row(
        &["must be referenced when passed to release function"],
        "{call} is given something that this program did not acquire, or has released",
        &["release what an acquiring function returned, once, and after testing it for NULL"],
    ),
    row(
        &["unreachable insn"],
        "no path leads to this instruction",
        &["the compiler leaves such code where behaviour is undefined: look for variables without a value and endless loops"],
    ),
    row(
        &["combined stack size of", "Too large"],
        "the functions that call each other here need more than 512 bytes of stack together",
        &["keep large buffers in a per-CPU array map"],
    ),
    row(
        &["the call stack of ", "frames is too deep"],
        "functions call each other more than 8 deep",
        &["let the compiler inline some: `static __always_inline`"],
    ),
    row(&["misaligned "], "an access that is not aligned to its size", &["access the parts, or copy with __builtin_memcpy()"]),
    row(&["leaks addr"], "a pointer of the kernel would be shown to the outside", &["store numbers only; CAP_PERFMON allows it"]),
    row(
        &["pointer comparison prohibited"],
        "pointers are compared, which could show addresses to the outside",
        &["CAP_PERFMON allows it"],
    ),
    row(
        &["might sleep in a non-sleepable prog"],
        "{call} may sleep, and this program may not",
        &[
            "use a section of a sleepable program: `SEC(\"lsm.s/...\")`, `SEC(\"fentry.s/...\")`, `SEC(\"uprobe.s/...\")`, `SEC(\"syscall\")`",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages that users trip over most.
    #[test]
    fn the_common_ones_have_advice() {
        for message in [
            "invalid func unknown#213",
            "invalid func unknown#195896080",
            "R0 !read_ok",
            "R3 !read_ok",
            "R1 invalid mem access 'scalar'",
            "R0 invalid mem access 'map_value_or_null'",
            "invalid bpf_context access off=0 size=8",
            "R2 unbounded memory access, use 'var &= const' or 'if (var < const)'",
            "R1 unbounded memory access, make sure to bounds check any such access",
            "BPF program is too large. Processed 1000001 insn",
            "The sequence of 8193 jumps is too complex.",
            "back-edge from insn 5 to 2",
            "dereference of modified ctx ptr R1 off=8 disallowed",
            "program of this type cannot use helper bpf_get_current_task#35",
            "map 'timers' has to have BTF in order to use bpf_timer",
        ] {
            let row = advice(message).unwrap_or_else(|| panic!("{message}"));
            assert!(!row.help.is_empty(), "{message}");
        }
        assert!(advice("something else").is_none());
    }

    /// No row hides behind another whose words it has all of.
    #[test]
    fn every_row_is_found() {
        for row in ADVICE {
            let message = row.words.join(" ... ");
            let found = advice(&message).unwrap();
            assert!(std::ptr::eq(found, row), "{message:?} is found as {:?}", found.words);
        }
    }
}
