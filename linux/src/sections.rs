//! ELF section names: what a program in a section of that name is.
//!
//! Source: libbpf's table of section definitions (1.7, and what its development had in July 2026), which is what people write names for.

mod rows;

use crate::{AttachType, ProgType};

/// How a section name is compared with the name of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The name alone.
    Name,
    /// The name, or the name and `/` and anything: `kprobe`, `kprobe/do_unlinkat`.
    NameOrPath,
    /// The name and anything; for spellings of loaders other than libbpf.
    Prefix,
}

/// What programs in sections of a name are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionRow {
    /// The name, without what libbpf's table appends to say how it is compared.
    pub name: &'static str,
    /// How a section name is compared with `name`.
    pub match_kind: Match,
    /// The program type.
    pub prog_type: ProgType,
    /// `expected_attach_type` of `BPF_PROG_LOAD`; `None` is 0.
    pub attach_type: Option<AttachType>,
    /// Old kernels refuse the attach type, so that a loader may leave it out (0) there.
    pub attach_optional: bool,
    /// The program is loaded with `BPF_F_SLEEPABLE`.
    pub sleepable: bool,
    /// The program is loaded with `BPF_F_XDP_HAS_FRAGS`.
    pub xdp_frags: bool,
    /// What follows the `/` names a function, hook, iterator or program that BTF knows, whose id the load carries.
    pub attach_btf: bool,
    /// libbpf before 1.0 took any name that begins with this one.
    pub prefix_before_1_0: bool,
    /// Not a name of libbpf, but of older loaders.
    pub legacy: bool,
}

impl SectionRow {
    const fn name(name: &'static str, prog_type: ProgType) -> SectionRow {
        SectionRow {
            name,
            match_kind: Match::Name,
            prog_type,
            attach_type: None,
            attach_optional: false,
            sleepable: false,
            xdp_frags: false,
            attach_btf: false,
            prefix_before_1_0: false,
            legacy: false,
        }
    }

    const fn path(name: &'static str, prog_type: ProgType) -> SectionRow {
        SectionRow { match_kind: Match::NameOrPath, ..SectionRow::name(name, prog_type) }
    }

    const fn legacy(name: &'static str, prog_type: ProgType) -> SectionRow {
        SectionRow { match_kind: Match::Prefix, legacy: true, ..SectionRow::name(name, prog_type) }
    }

    const fn attach(self, attach: AttachType) -> SectionRow {
        SectionRow { attach_type: Some(attach), ..self }
    }

    const fn optional(self) -> SectionRow {
        SectionRow { attach_optional: true, ..self }
    }

    const fn sleepable(self) -> SectionRow {
        SectionRow { sleepable: true, ..self }
    }

    const fn frags(self) -> SectionRow {
        SectionRow { xdp_frags: true, ..self }
    }

    const fn btf(self) -> SectionRow {
        SectionRow { attach_btf: true, ..self }
    }

    const fn sloppy(self) -> SectionRow {
        SectionRow { prefix_before_1_0: true, ..self }
    }

    /// What follows the row's name in `section` if the row takes it: `Some("")` for the name alone.
    fn rest<'a>(&self, section: &'a str) -> Option<&'a str> {
        let after = section.strip_prefix(self.name)?;
        match self.match_kind {
            Match::Name => after.is_empty().then_some(after),
            Match::NameOrPath if after.is_empty() => Some(after),
            Match::NameOrPath => after.strip_prefix('/'),
            Match::Prefix => Some(after),
        }
    }
}

/// A section name that a row takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionMatch<'a> {
    /// The row.
    pub row: &'static SectionRow,
    /// What follows the row's name and the `/`: a function, `category/tracepoint`, an iterator. Empty if nothing does.
    pub rest: &'a str,
    /// No libbpf of today takes the name: the row is a legacy one, or matched as libbpf did before 1.0.
    pub legacy: bool,
}

/// All rows, in the order in which they are tried.
pub const SECTIONS: &[SectionRow] = rows::ROWS;

/// What a program in section `name` is, as libbpf says; failing that, as older loaders did (marked so).
/// A leading `?` (do not load by default) is no part of the name and must be taken off first.
pub fn section(name: &str) -> Option<SectionMatch<'_>> {
    let modern = SECTIONS.iter().filter(|row| !row.legacy).find_map(|row| Some((row, row.rest(name)?)));
    if let Some((row, rest)) = modern {
        return Some(SectionMatch { row, rest, legacy: false });
    }
    let sloppy = |row: &'static SectionRow| {
        let rest = if row.prefix_before_1_0 { name.strip_prefix(row.name) } else { None };
        Some((row, rest?))
    };
    let old = SECTIONS.iter().find_map(sloppy);
    let (row, rest) = old.or_else(|| SECTIONS.iter().filter(|row| row.legacy).find_map(|row| Some((row, row.rest(name)?))))?;
    Some(SectionMatch { row, rest: rest.strip_prefix('/').unwrap_or(rest), legacy: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttachType as A, ProgType as P};

    fn found(name: &str) -> (P, Option<A>, &str, bool) {
        let m = section(name).unwrap_or_else(|| panic!("no row takes {name}"));
        (m.row.prog_type, m.row.attach_type, m.rest, m.legacy)
    }

    #[test]
    fn names_of_libbpf() {
        assert_eq!(found("kprobe/do_unlinkat"), (P::Kprobe, None, "do_unlinkat", false));
        assert_eq!(found("kprobe.multi/tcp_*"), (P::Kprobe, Some(A::TraceKprobeMulti), "tcp_*", false));
        assert_eq!(found("tracepoint/sched/sched_switch"), (P::Tracepoint, None, "sched/sched_switch", false));
        assert_eq!(found("xdp"), (P::Xdp, Some(A::Xdp), "", false));
        assert_eq!(found("xdp.frags/devmap"), (P::Xdp, Some(A::XdpDevmap), "", false));
        assert!(section("xdp.frags").unwrap().row.xdp_frags);
        assert_eq!(found("iter.s/task"), (P::Tracing, Some(A::TraceIter), "task", false));
        assert!(section("lsm.s/bprm_creds_for_exec").unwrap().row.sleepable);
        assert_eq!(found("sk_skb/stream_parser"), (P::SkSkb, Some(A::SkSkbStreamParser), "", false));
        assert_eq!(found("cgroup/connect_unix"), (P::CgroupSockAddr, Some(A::CgroupUnixConnect), "", false));
    }

    #[test]
    fn names_of_older_loaders() {
        assert_eq!(found("socket1"), (P::SocketFilter, None, "1", true));
        assert_eq!(found("socket/3"), (P::SocketFilter, None, "3", true));
        assert_eq!(found("xdp_mark"), (P::Xdp, Some(A::Xdp), "_mark", true));
        assert_eq!(found("cgroup/sock1"), (P::CgroupSock, Some(A::CgroupInetSockCreate), "1", true));
        assert_eq!(found("from-container"), (P::SchedCls, None, "container", true));
    }

    #[test]
    fn other_names_are_no_programs() {
        for name in ["", "kprobes/x", "fentry.", "license", "maps", ".text", "test", "perf"] {
            assert_eq!(section(name), None, "{name}");
        }
    }

    #[test]
    fn no_row_is_shadowed_by_an_earlier_one() {
        for row in SECTIONS {
            let m = section(row.name).unwrap();
            assert_eq!(m.row.name, row.name);
            assert_eq!(m.row.match_kind, row.match_kind);
        }
    }
}
