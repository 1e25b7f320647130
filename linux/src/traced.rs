//! Kernel functions that programs may not trace, or may do more to than trace: lists of Linux 6.18's source. No kernel that could be asked
//! lets programs attach to functions.

use crate::{Arch, Target};

/// Functions that the trampoline itself may call.
const UNTRACEABLE: &[&str] = &[
    "___migrate_enable",
    "__rcu_read_lock",
    "__rcu_read_unlock",
    "migrate_disable",
    "migrate_enable",
    "preempt_count_add",
    "preempt_count_sub",
    "rcu_read_unlock_strict",
];

/// Functions that do not return.
const NO_RETURN: &[&str] = &[
    "__ia32_sys_exit",
    "__ia32_sys_exit_group",
    "__kunit_abort",
    "__module_put_and_kthread_exit",
    "__x64_sys_exit",
    "__x64_sys_exit_group",
    "do_exit",
    "do_group_exit",
    "kthread_complete_and_exit",
    "kthread_exit",
    "kunit_try_catch_throw",
    "make_task_dead",
];

/// Functions other than system calls into which errors may be injected, if the kernel is built so.
const INJECTABLE: &[&str] = &[
    "__filemap_add_folio",
    "btrfs_check_leaf",
    "btrfs_check_node",
    "btrfs_cow_block",
    "btrfs_search_slot",
    "btrfs_should_cancel_balance",
    "open_ctree",
    "should_fail_alloc_page",
    "should_fail_bio",
    "should_failslab",
];

/// Of those, functions that are called where nobody may sleep.
const INJECTABLE_AWAKE: &[&str] = &["__filemap_add_folio", "should_fail_alloc_page", "should_failslab"];

/// Functions that are there to be modified, and whether their programs may sleep.
const MODIFIABLE: &[(&str, bool)] = &[
    ("bpf_fentry_test1", true),
    ("bpf_modify_return_test", false),
    ("bpf_modify_return_test2", false),
    ("bpf_modify_return_test_tp", false),
    ("update_socket_protocol", false),
];

/// What programs may do to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traced {
    /// Programs may be attached at all.
    pub traceable: bool,
    /// It returns, so that programs may run after it or instead of it.
    pub returns: bool,
    /// Programs that are attached may sleep.
    pub sleepable: bool,
    /// Programs may answer in its place.
    pub modifiable: bool,
}

/// What programs may do to the function of this name.
pub fn traced(target: &Target, function: &str) -> Traced {
    // Kernels whose configuration is not known are taken for those of distributions, which have it.
    let known = target.config("CONFIG_BPF_SYSCALL").is_some();
    let injection = !known || target.config("CONFIG_FUNCTION_ERROR_INJECTION").is_some();
    let injectable = injection && (is_system_call(target.arch, function) || INJECTABLE.contains(&function));
    let listed = MODIFIABLE.iter().find(|(name, _)| *name == function);
    Traced {
        traceable: !UNTRACEABLE.contains(&function),
        returns: !NO_RETURN.contains(&function),
        sleepable: injectable && !INJECTABLE_AWAKE.contains(&function) || listed.is_some_and(|(_, sleepable)| *sleepable),
        modifiable: injectable || listed.is_some() || function.starts_with("security_"),
    }
}

fn is_system_call(arch: Arch, function: &str) -> bool {
    let prefixes: &[&str] = match arch {
        Arch::X86_64 => &["__x64_sys_", "__ia32_sys_", "__ia32_compat_sys_", "__x64_compat_sys_"],
        Arch::Aarch64 => &["__arm64_sys_", "__arm64_compat_sys_"],
    };
    prefixes.iter().any(|prefix| function.starts_with(prefix))
}
