//! Both assemblers.

use fastrand::Rng;
use skep_isa::asm::{conformance, kernel};
use skep_isa::{Code, NoNames, RawInsn};

use super::{Case, Subject, Verdict};
use crate::seeds::{Seed, Sources};
use crate::text;

/// Lines of a seed: a case must be short.
const MOST_LINES: usize = 80;

pub(super) struct Text(Vec<(String, String)>);

pub(super) fn raw(bytes: &[u8]) -> Vec<RawInsn> {
    bytes.as_chunks::<8>().0.iter().map(|slot| RawInsn::from_le_bytes(*slot)).collect()
}

/// The `-- asm` part of a bpf_conformance file, or the whole of another.
fn program(text: &str) -> String {
    let part = text.split("\n-- ").find_map(|part| part.trim_start_matches("-- ").strip_prefix("asm\n"));
    part.unwrap_or(text).lines().take(MOST_LINES).collect::<Vec<_>>().join("\n")
}

fn listing(seed: &Seed) -> (String, String) {
    let slots = raw(&seed.bytes[..seed.bytes.len().min(8 * MOST_LINES)]);
    (seed.name.clone(), Code::decode_each(&slots).listing(&NoNames).to_string())
}

impl Text {
    pub(super) fn new(sources: &Sources) -> Text {
        let text = sources.text.iter().map(|seed| (seed.name.clone(), program(&String::from_utf8_lossy(&seed.bytes))));
        // As many of one dialect as of the other.
        let most = sources.text.len().max(64);
        let step = (sources.insns.len() / most).max(1);
        Text(text.chain(sources.insns.iter().step_by(step).map(listing)).collect())
    }
}

impl Subject for Text {
    fn seeds(&self) -> usize {
        self.0.len()
    }

    fn case(&self, rng: &mut Rng) -> Case {
        let mut any = || self.0.get(rng.usize(..self.0.len().max(1)));
        let (from, other) = (any(), any());
        match (from, other) {
            (Some((seed, from)), Some((_, other))) => {
                Case { seed: seed.clone(), input: text::mutate(from, other, rng).into_bytes() }
            }
            (_, _) => Case { seed: "nothing".into(), input: text::mutate("", "", rng).into_bytes() },
        }
    }

    fn run(&self, input: &[u8], _rng: &mut Rng) -> Verdict {
        let text = String::from_utf8_lossy(input);
        let (first, second) = (kernel::assemble(&text), conformance::assemble(&text));
        for slots in [&first, &second].into_iter().flatten() {
            // What an assembler wrote must decode, and read the same when it is written out.
            let code = match Code::decode(slots) {
                Ok(code) => code,
                Err(error) => return Verdict::Broken(format!("assembled what does not decode: {error}")),
            };
            match kernel::assemble(&code.listing(&NoNames).to_string()) {
                Ok(again) if again == *slots => {}
                Ok(again) => return Verdict::Broken(format!("{slots:?} is written out as {again:?}")),
                Err(error) => return Verdict::Broken(format!("the listing of {slots:?} does not assemble: {error}")),
            }
        }
        Verdict::of(first.or(second))
    }
}
