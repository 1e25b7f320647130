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
}

#[derive(Debug, Clone, Copy)]
struct Place<J> {
    /// Bytes written before it.
    at: u32,
    to: Label,
    jump: J,
    long: bool,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Bytes and jumps before it.
    at: u32,
    jumps: u32,
}

const UNBOUND: Mark = Mark { at: u32::MAX, jumps: u32::MAX };

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
        self.marks[label.0 as usize] = Mark { at: self.bytes.len() as u32, jumps: self.places.len() as u32 };
    }

    /// Jumps to a label.
    pub(crate) fn jump(&mut self, jump: J, to: Label) {
        self.places.push(Place { at: self.bytes.len() as u32, to, jump, long: true });
    }

    /// Bytes before each jump that jumps are, and those before the end.
    fn before(&self, sums: &mut Vec<u32>) {
        sums.clear();
        let mut sum = 0;
        for place in &self.places {
            sums.push(sum);
            let (short, long) = place.jump.lengths();
            sum += u32::from(if place.long { long } else { short });
        }
        sums.push(sum);
    }

    fn offset(&self, label: Label, sums: &[u32]) -> u32 {
        let mark = self.marks[label.0 as usize];
        match sums.get(mark.jumps as usize) {
            Some(sum) => mark.at + sum,
            None => u32::MAX,
        }
    }

    /// How far the jump with this index goes, from its end.
    fn distance(&self, index: usize, sums: &[u32]) -> i64 {
        let place = &self.places[index];
        i64::from(self.offset(place.to, sums)) - i64::from(place.at + sums[index + 1])
    }

    /// Makes jumps short, and writes everything.
    ///
    /// # Errors
    /// [`Error::TooLong`] if a jump cannot reach its label.
    pub(crate) fn finish(mut self) -> Result<Finished, Error> {
        let total = self.bytes.len() as u64 + self.places.iter().map(|place| u64::from(place.jump.lengths().1)).sum::<u64>();
        if total > i32::MAX as u64 {
            return Err(Error::TooLong { bytes: total });
        }
        let mut sums = Vec::with_capacity(self.places.len() + 1);
        for _ in 0..ROUNDS {
            self.before(&mut sums);
            let mut changed = false;
            for index in 0..self.places.len() {
                let Place { jump, long, .. } = self.places[index];
                let distance = self.distance(index, &sums);
                let (short_len, long_len) = jump.lengths();
                // Backwards, the jump itself lies within the distance, and will be shorter.
                let shorter = if distance < 0 { i64::from(long_len - short_len) } else { 0 };
                if long && short_len < long_len && jump.reaches(false, distance + shorter) {
                    self.places[index].long = false;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        self.before(&mut sums);
        self.write(&sums)
    }

    fn write(&self, sums: &[u32]) -> Result<Finished, Error> {
        let mut out = Vec::with_capacity(self.bytes.len() + sums[self.places.len()] as usize);
        let mut from = 0;
        for (index, place) in self.places.iter().enumerate() {
            out.extend_from_slice(&self.bytes[from..place.at as usize]);
            from = place.at as usize;
            let distance = self.distance(index, sums);
            if !place.jump.reaches(place.long, distance) {
                return Err(Error::TooLong { bytes: out.capacity() as u64 });
            }
            place.jump.write(place.long, distance, &mut out);
        }
        out.extend_from_slice(&self.bytes[from..]);
        let offsets = (0..self.marks.len() as u32).map(|label| self.offset(Label(label), sums)).collect();
        Ok(Finished { bytes: out, offsets })
    }
}
