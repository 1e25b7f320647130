//! What a run gave, before it is written as text or JSON.

use skep::{Effect, Outcome, ProgType, Program, Redirect, RunError, Step, Value};
use skep_btf::TypeId;
use skep_linux::contexts::{ContextRow, Shape, context};
use skep_linux::verdicts::{Meaning, meaning};

use super::records::Record;

/// A run and its results.
pub(super) struct Report<'a> {
    /// From 1.
    pub(super) number: usize,
    /// What the run was on: `packet`, `event`, `run`.
    pub(super) kind: &'static str,
    /// The program.
    pub(super) program: &'a Program,
    /// The packet before.
    pub(super) packet: Option<&'a [u8]>,
    /// The context before.
    pub(super) context: Vec<u8>,
    /// The outcome, or what ended the run.
    pub(super) result: Result<Outcome, RunError>,
    /// Whether instructions were counted: compiled code does not.
    pub(super) counted: bool,
    /// Nanoseconds of a run on average, where there were several.
    pub(super) nanoseconds: Option<u64>,
    pub(super) printk: Vec<String>,
    pub(super) seq: Vec<u8>,
    pub(super) records: Vec<Record>,
    pub(super) effects: Vec<Effect>,
    pub(super) redirect: Option<Redirect>,
    /// Instructions, and how many were not kept.
    pub(super) trace: Option<(Vec<Step>, u64)>,
    /// The type of the context, where it is a record.
    pub(super) record: Option<&'a (std::sync::Arc<skep::Btf>, TypeId)>,
    /// The machine's row of the context.
    pub(super) row: Option<&'static ContextRow>,
}

/// A part of the context that the program changed.
pub(super) struct Change {
    pub(super) field: String,
    pub(super) before: u64,
    pub(super) after: u64,
}

/// The row of a program's context.
pub(super) fn row(program: &Program, arch: skep::Arch) -> Option<&'static ContextRow> {
    context(program.prog_type, arch)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Report<'_> {
    /// What the return value means.
    pub(super) fn meaning(&self) -> Meaning {
        meaning(self.program.prog_type, self.program.attach_type)
    }

    /// The verdict in a word: the name of the return value, the number, or how the run ended.
    pub(super) fn verdict(&self) -> String {
        match &self.result {
            Ok(outcome) => {
                let value = outcome.retval() as i32;
                self.meaning().name(value).map_or_else(|| value.to_string(), str::to_owned)
            }
            Err(RunError::Input(_)) => "refused".to_owned(),
            Err(RunError::Stopped(_)) => "stopped".to_owned(),
        }
    }

    /// Bytes before the link-layer header or in its place, which programs of this type do not see and a test run gives back as zeros.
    fn unseen(&self) -> usize {
        const ETH_HLEN: usize = 14;
        match self.program.prog_type {
            ProgType::SocketFilter
            | ProgType::CgroupSkb
            | ProgType::LwtIn
            | ProgType::LwtOut
            | ProgType::LwtXmit
            | ProgType::LwtSeg6local
            | ProgType::SkSkb => ETH_HLEN,
            _sees_all => 0,
        }
    }

    /// The packet afterwards, whole; `None` where there was none.
    pub(super) fn packet_out(&self) -> Option<Vec<u8>> {
        let outcome = self.result.as_ref().ok()?;
        let mut packet = outcome.packet.clone()?;
        if let (ProgType::Xdp, Some(meta)) = (self.program.prog_type, outcome.context.get(..4)) {
            // A test run puts the metadata before the packet.
            packet.drain(..(number(meta) as usize).min(packet.len()));
        }
        let unseen = self.unseen().min(packet.len()).min(self.packet.map_or(0, <[u8]>::len));
        packet[..unseen].copy_from_slice(&self.packet.unwrap_or_default()[..unseen]);
        Some(packet)
    }

    /// The packet afterwards, if the program changed it.
    pub(super) fn packet_changed(&self) -> Option<Vec<u8>> {
        self.packet_out().filter(|packet| Some(&packet[..]) != self.packet)
    }

    /// The fields of the context that the program changed.
    pub(super) fn changes(&self) -> Vec<Change> {
        let (Ok(outcome), Some(row)) = (&self.result, self.row) else { return Vec::new() };
        if row.shape != Shape::Struct {
            return Vec::new();
        }
        let mut changes = Vec::new();
        for field in row.fields.iter().filter(|field| !field.yields.is_pointer() && field.offset >= 0) {
            let (start, size) = (field.offset as usize, field.size as usize);
            // Arrays are arrays of words.
            let each = if size > 8 { 4 } else { size };
            for (nth, at) in (start..start + size).step_by(each.max(1)).enumerate() {
                let part = |bytes: &[u8]| bytes.get(at..at + each).map(number);
                if let (Some(before), Some(after)) = (part(&self.context), part(&outcome.context))
                    && before != after
                {
                    let name = field.name.to_owned();
                    changes.push(Change { field: if size > 8 { format!("{name}[{nth}]") } else { name }, before, after });
                }
            }
        }
        changes
    }

    /// The context afterwards by its type, if it is a record and the program changed it.
    pub(super) fn record_after(&self) -> Option<Value> {
        let outcome = self.result.as_ref().ok()?;
        let (btf, ty) = self.record?;
        if outcome.context == self.context || self.row.is_some_and(|row| row.shape == Shape::Struct) {
            return None;
        }
        btf.read(*ty, &outcome.context).ok()
    }

    /// Whether the packet goes on.
    pub(super) fn passes(&self) -> bool {
        self.result.as_ref().is_ok_and(|outcome| self.meaning().passes(outcome.retval() as i32))
    }
}
