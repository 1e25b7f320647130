//! Code whose jumps find their length last.
//!
//! Bytes are written without the jumps among them; a jump is a place between two bytes, and a label is one too. When everything is
//! written, [`Layout::finish`] finds which jumps can be short. It begins with all of them long, so that every distance it looks at is
//! an upper bound, and whatever it has called short stays short: no order of passes can leave a jump too short for its distance.

use crate::Error;

/// A place in the code that jumps may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(pub(crate) u32);

/// The jumps of a machine.
pub(crate) trait Jump: Copy {
    /// Bytes of the short and the long form; equal where there is only one.
    fn lengths(self) -> (u8, u8);

    /// Whether a form can span so many bytes. The distance is from the end of the jump.
    fn reaches(self, long: bool, distance: i64) -> bool;

    /// Writes the jump.
    fn write(self, long: bool, distance: i64, out: &mut Vec<u8>);

    /// Writes so many bytes that do nothing, in as few instructions as it takes.
    fn pad(bytes: usize, out: &mut Vec<u8>);
}

/// What loops are aligned to.
const ALIGNMENT: u32 = 16;

#[derive(Debug, Clone, Copy)]
struct Place<J> {
    /// Bytes written before it.
    at: u32,
    what: What<J>,
}

/// What has no length until everything is written.
#[derive(Debug, Clone, Copy)]
enum What<J> {
    Jump { to: Label, jump: J, long: bool },
    Align,
}

impl<J: Jump> What<J> {
    /// The most bytes it may take, as far as is known.
    fn most(&self) -> u32 {
        match *self {
            What::Jump { jump, long, .. } => {
                let (short_len, long_len) = jump.lengths();
                u32::from(if long { long_len } else { short_len })
            }
            What::Align => ALIGNMENT - 1,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Bytes and places before it.
    at: u32,
    places: u32,
}

const UNBOUND: Mark = Mark { at: u32::MAX, places: u32::MAX };

/// How often jumps are looked at. More rounds shorten few: those that only fit because others between became short.
const ROUNDS: usize = 6;

/// Code in the making.
#[derive(Debug)]
pub(crate) struct Layout<J> {
    pub(crate) bytes: Vec<u8>,
    places: Vec<Place<J>>,
    marks: Vec<Mark>,
}

/// Code as it will be, and where its labels are.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) bytes: Vec<u8>,
    offsets: Vec<u32>,
}

impl Finished {
    /// Where a label is, `None` if it never got a place.
    pub(crate) fn offset(&self, label: Label) -> Option<u32> {
        self.offsets.get(label.0 as usize).copied().filter(|&offset| offset != u32::MAX)
    }
}

impl<J: Jump> Layout<J> {
    /// With as many labels, and room for so many bytes.
    pub(crate) fn new(labels: usize, bytes: usize) -> Layout<J> {
        Layout { bytes: Vec::with_capacity(bytes), places: Vec::new(), marks: vec![UNBOUND; labels] }
    }

    /// A label more.
    pub(crate) fn label(&mut self) -> Label {
        self.marks.push(UNBOUND);
        Label(self.marks.len() as u32 - 1)
    }

    /// Puts a label here.
    pub(crate) fn bind(&mut self, label: Label) {
        self.marks[label.0 as usize] = Mark { at: self.bytes.len() as u32, places: self.places.len() as u32 };
    }

    /// Jumps to a label.
    pub(crate) fn jump(&mut self, jump: J, to: Label) {
        self.places.push(Place { at: self.bytes.len() as u32, what: What::Jump { to, jump, long: true } });
    }

    /// Goes on at a multiple of the alignment.
    pub(crate) fn align(&mut self) {
        self.places.push(Place { at: self.bytes.len() as u32, what: What::Align });
    }

    /// Bytes before each place that places are, and those before the end: as many as they can be, or as many as they are.
    fn before(&self, sums: &mut Vec<u32>, last: bool) {
        sums.clear();
        let mut sum = 0;
        for place in &self.places {
            sums.push(sum);
            sum += match place.what {
                What::Align if last => (place.at + sum).wrapping_neg() % ALIGNMENT,
                What::Align | What::Jump { .. } => place.what.most(),
            };
        }
        sums.push(sum);
    }

    fn offset(&self, label: Label, sums: &[u32]) -> u32 {
        let mark = self.marks[label.0 as usize];
        match sums.get(mark.places as usize) {
            Some(sum) => mark.at + sum,
            None => u32::MAX,
        }
    }

    /// How far it is to a label from the end of the place with this index.
    fn distance(&self, index: usize, to: Label, sums: &[u32]) -> i64 {
        i64::from(self.offset(to, sums)) - i64::from(self.places[index].at + sums[index + 1])
    }

    /// Makes jumps short, and writes everything.
    ///
    /// # Errors
    /// [`Error::TooLong`] if a jump cannot reach its label.
    pub(crate) fn finish(mut self) -> Result<Finished, Error> {
        let total = self.bytes.len() as u64 + self.places.iter().map(|place| u64::from(place.what.most())).sum::<u64>();
        if total > i32::MAX as u64 {
            return Err(Error::TooLong { bytes: total });
        }
        let mut sums = Vec::with_capacity(self.places.len() + 1);
        for _ in 0..ROUNDS {
            self.before(&mut sums, false);
            if !self.shorten(&sums) {
                break;
            }
        }
        self.before(&mut sums, true);
        self.write(&sums)
    }

    /// Makes jumps short that can be. Whether there were any.
    fn shorten(&mut self, sums: &[u32]) -> bool {
        let mut changed = false;
        for index in 0..self.places.len() {
            let What::Jump { to, jump, long: true } = self.places[index].what else { continue };
            let distance = self.distance(index, to, sums);
            let (short_len, long_len) = jump.lengths();
            // Backwards, the jump itself lies within the distance, and will be shorter.
            let shorter = if distance < 0 { i64::from(long_len - short_len) } else { 0 };
            if short_len < long_len && jump.reaches(false, distance + shorter) {
                self.places[index].what = What::Jump { to, jump, long: false };
                changed = true;
            }
        }
        changed
    }

    fn write(&self, sums: &[u32]) -> Result<Finished, Error> {
        let mut out = Vec::with_capacity(self.bytes.len() + sums[self.places.len()] as usize);
        let mut from = 0;
        for (index, place) in self.places.iter().enumerate() {
            out.extend_from_slice(&self.bytes[from..place.at as usize]);
            from = place.at as usize;
            match place.what {
                What::Jump { to, jump, long } => {
                    let distance = self.distance(index, to, sums);
                    if !jump.reaches(long, distance) {
                        return Err(Error::TooLong { bytes: out.capacity() as u64 });
                    }
                    jump.write(long, distance, &mut out);
                }
                What::Align => J::pad((sums[index + 1] - sums[index]) as usize, &mut out),
            }
        }
        out.extend_from_slice(&self.bytes[from..]);
        let offsets = (0..self.marks.len() as u32).map(|label| self.offset(Label(label), sums)).collect();
        Ok(Finished { bytes: out, offsets })
    }
}
