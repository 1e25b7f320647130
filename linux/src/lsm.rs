//! Hooks of security modules (LSM): what programs attach to, and how.
//!
//! Which hooks there are, and their arguments, is in the kernel's BTF: a hook is a member of `union security_list_options`, and the
//! function `bpf_lsm_NAME`. The lists here are those of Linux 6.18's source, since no kernel that could be asked lets programs attach.

use skep_btf::{Btf, Kind, Type};

/// What the functions that programs attach to begin with.
pub const PREFIX: &str = "bpf_lsm_";

/// Hooks that programs may not attach to.
const DISABLED: &[&str] = &[
    "audit_rule_match",
    "getprocattr",
    "getselfattr",
    "inode_copy_up_xattr",
    "inode_getsecurity",
    "inode_listsecurity",
    "inode_need_killpriv",
    "ismaclabel",
    "key_getsecurity",
    "setprocattr",
    "vm_enough_memory",
];

/// Hooks whose programs may sleep.
const SLEEPABLE: &[&str] = &[
    "bpf",
    "bpf_map",
    "bpf_map_create",
    "bpf_map_free",
    "bpf_prog",
    "bpf_prog_free",
    "bpf_prog_load",
    "bpf_token_capable",
    "bpf_token_cmd",
    "bpf_token_create",
    "bpf_token_free",
    "bprm_check_security",
    "bprm_committed_creds",
    "bprm_committing_creds",
    "bprm_creds_for_exec",
    "bprm_creds_from_file",
    "capget",
    "capset",
    "cred_prepare",
    "file_ioctl",
    "file_lock",
    "file_open",
    "file_post_open",
    "file_receive",
    "inet_conn_established",
    "inode_create",
    "inode_free_security",
    "inode_getattr",
    "inode_getxattr",
    "inode_mknod",
    "inode_need_killpriv",
    "inode_post_removexattr",
    "inode_post_setxattr",
    "inode_readlink",
    "inode_removexattr",
    "inode_rename",
    "inode_rmdir",
    "inode_setattr",
    "inode_setxattr",
    "inode_symlink",
    "inode_unlink",
    "kernel_module_request",
    "kernel_read_file",
    "kernfs_init_security",
    "mmap_file",
    "netlink_send",
    "path_chmod",
    "path_chown",
    "path_link",
    "path_mkdir",
    "path_notify",
    "path_rename",
    "path_rmdir",
    "path_symlink",
    "path_truncate",
    "path_unlink",
    "release_secctx",
    "sb_alloc_security",
    "sb_eat_lsm_opts",
    "sb_kern_mount",
    "sb_mount",
    "sb_remount",
    "sb_set_mnt_opts",
    "sb_show_options",
    "sb_statfs",
    "sb_umount",
    "settime",
    "socket_accept",
    "socket_bind",
    "socket_connect",
    "socket_create",
    "socket_getpeername",
    "socket_getpeersec_dgram",
    "socket_getsockname",
    "socket_getsockopt",
    "socket_listen",
    "socket_post_create",
    "socket_recvmsg",
    "socket_sendmsg",
    "socket_shutdown",
    "socket_socketpair",
    "syslog",
    "task_alloc",
    "task_prctl",
    "task_setscheduler",
    "task_to_inode",
    "userns_create",
];

/// Hooks whose arguments are not fully there, or not any more.
const UNTRUSTED: &[&str] = &[
    "bpf_map_free",
    "bpf_prog_free",
    "file_alloc_security",
    "file_free_security",
    "sk_alloc_security",
    "sk_free_security",
    "task_free",
];

/// Hooks that answer yes or no; others that answer at all answer 0 or an error.
const BOOLEAN: &[&str] = &["audit_rule_known", "inode_xattr_skipcap", "xfrm_state_pol_flow_match"];

/// What Linux knows of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// Programs may not attach to it.
    pub disabled: bool,
    /// Its programs may sleep.
    pub sleepable: bool,
    /// Its arguments can be trusted.
    pub trusted: bool,
    /// It answers 0 or 1.
    pub boolean: bool,
}

/// The hook that a function `bpf_lsm_NAME` of this kernel is; `None` if it is none.
pub fn hook(btf: &Btf, function: &str) -> Option<Hook> {
    let name = function.strip_prefix(PREFIX)?;
    let list = btf.find("security_list_options", Kind::Union)?;
    let Some(Type::Union(list)) = btf.get(list) else { return None };
    list.member_named(name)?;
    Some(Hook {
        disabled: DISABLED.contains(&name),
        sleepable: SLEEPABLE.contains(&name),
        trusted: !UNTRUSTED.contains(&name),
        boolean: BOOLEAN.contains(&name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arch, Release, recorded_btf};

    #[test]
    fn hooks_of_the_recorded_kernel() {
        let btf = recorded_btf(Release::new(6, 18), Arch::X86_64).unwrap().unwrap();
        let open = hook(&btf, "bpf_lsm_file_open").unwrap();
        assert_eq!(open, Hook { disabled: false, sleepable: true, trusted: true, boolean: false });
        assert!(hook(&btf, "bpf_lsm_is_trusted").is_none() && hook(&btf, "vfs_read").is_none());
        for name in [DISABLED, SLEEPABLE, UNTRUSTED, BOOLEAN].concat() {
            let function = format!("{PREFIX}{name}");
            // Some hooks depend on the configuration.
            assert_eq!(hook(&btf, &function).is_some(), btf.find(&function, Kind::Func).is_some(), "{name}");
        }
    }
}
