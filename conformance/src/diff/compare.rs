//! Two observations, compared place by place.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::oracle::{Bytes, Contents, Ended, Observed};

/// A part of what a run shows. The order is the order in which differences are reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// What a map answered to an entry that was to be there before the run.
    Fill,
    /// Whether the run came to its end.
    End,
    /// The return value.
    Return,
    /// The packet afterwards.
    Packet,
    /// The context afterwards.
    Context,
    /// The contents of a map.
    Map(String),
    /// The records written to a ring buffer or perf event array.
    Records(String),
}

impl std::fmt::Display for Aspect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Aspect::Fill => f.write_str("map entries before the run"),
            Aspect::End => f.write_str("end of the run"),
            Aspect::Return => f.write_str("return value"),
            Aspect::Packet => f.write_str("packet"),
            Aspect::Context => f.write_str("context"),
            Aspect::Map(name) => write!(f, "map `{name}`"),
            Aspect::Records(name) => write!(f, "records of `{name}`"),
        }
    }
}

/// One thing that has a value of its own: a key of a map, a record, the packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// What it is part of.
    pub aspect: Aspect,
    /// Which of several.
    pub item: Item,
}

/// Which of the values of an aspect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// The only one.
    Only,
    /// By number: of an array, a queue, a list of records.
    Index(usize),
    /// By key.
    Key(Bytes),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.item {
            Item::Only => write!(f, "{}", self.aspect),
            Item::Index(index) => write!(f, "{}[{index}]", self.aspect),
            Item::Key(key) => write!(f, "{}[{key}]", self.aspect),
        }
    }
}

/// A place that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// The first byte that differs, if both have the place.
    pub offset: Option<usize>,
    /// What skep has there; nothing if it does not have the place.
    pub skep: Option<Value>,
    /// What the kernel has there.
    pub kernel: Option<Value>,
}

/// What is at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A number.
    Number(u32),
    /// Bytes.
    Bytes(Bytes),
    /// How something went.
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number} ({number:#x})"),
            Value::Bytes(bytes) => write!(f, "{bytes}"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offset = self.offset.map(|at| format!(", byte {at}")).unwrap_or_default();
        writeln!(f, "{}{offset}:", self.place)?;
        let show = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
        writeln!(f, "  skep:   {}", show(&self.skep))?;
        write!(f, "  kernel: {}", show(&self.kernel))
    }
}

/// An observation as places with values.
type Places = BTreeMap<Place, Value>;

fn places(observed: &Observed) -> Places {
    let mut all = Places::new();
    let mut put = |aspect, item, value| {
        all.insert(Place { aspect, item }, value);
    };
    for (at, errno) in &observed.unfilled {
        put(Aspect::Fill, Item::Index(*at), Value::Text(errno.clone()));
    }
    match &observed.ended {
        Ended::Returned { value, packet, context } => {
            put(Aspect::End, Item::Only, Value::Text("returned".into()));
            put(Aspect::Return, Item::Only, Value::Number(*value));
            if let Some(packet) = packet {
                put(Aspect::Packet, Item::Only, Value::Bytes(packet.clone()));
            }
            if let Some(context) = context {
                put(Aspect::Context, Item::Only, Value::Bytes(context.clone()));
            }
        }
        Ended::Refused(errno) => put(Aspect::End, Item::Only, Value::Text(format!("input refused: {errno}"))),
        Ended::Stopped(why) => put(Aspect::End, Item::Only, Value::Text(format!("stopped: {why}"))),
        Ended::NotSimulated(what) => put(Aspect::End, Item::Only, Value::Text(format!("not simulated: {what}"))),
    }
    for (name, contents) in &observed.maps {
        let aspect = || Aspect::Map(name.clone());
        match contents {
            Contents::Array { size, values } => {
                for (index, value) in values.0.chunks(*size).enumerate() {
                    put(aspect(), Item::Index(index), Value::Bytes(Bytes(value.to_vec())));
                }
            }
            Contents::Keyed(entries) => {
                entries.iter().for_each(|(key, value)| put(aspect(), Item::Key(key.clone()), Value::Bytes(value.clone())));
            }
            Contents::Queue(values) => {
                let values = values.iter().enumerate();
                values.for_each(|(index, value)| put(aspect(), Item::Index(index), Value::Bytes(value.clone())));
            }
            Contents::Hidden(why) => put(aspect(), Item::Only, Value::Text(why.clone())),
        }
    }
    for (name, records) in &observed.records {
        for (index, record) in records.iter().enumerate() {
            put(Aspect::Records(name.clone()), Item::Index(index), Value::Bytes(record.clone()));
        }
    }
    all
}

/// What is not the same in every run of one engine, from the same input and map contents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unstable {
    /// Words (of 8 bytes) of places that all runs have, by their number; all words if the length differs.
    words: BTreeMap<Place, BTreeSet<usize>>,
    /// Places that only some runs have.
    places: BTreeSet<Place>,
}

/// A byte that differs between runs of an engine takes this many with it: the number it belongs to may be that long, and its other
/// bytes are equal by chance.
const WORD: usize = 8;
/// Stands for all words of a place.
const ALL: usize = usize::MAX;

impl Unstable {
    /// Adds what differs between two runs of the same engine.
    pub fn learn(&mut self, one: &Observed, other: &Observed) {
        let (one, other) = (places(one), places(other));
        // Whether a run comes to its end depends on nothing but the input; a message that names addresses is no instability.
        for place in one.keys().chain(other.keys()).filter(|place| place.aspect != Aspect::End) {
            match (one.get(place), other.get(place)) {
                (Some(Value::Bytes(a)), Some(Value::Bytes(b))) if a.0.len() == b.0.len() => {
                    let words = a.0.chunks(WORD).zip(b.0.chunks(WORD)).enumerate();
                    let differ: Vec<usize> = words.filter(|(_, (a, b))| a != b).map(|(word, _)| word).collect();
                    if !differ.is_empty() {
                        self.words.entry(place.clone()).or_default().extend(differ);
                    }
                }
                (Some(a), Some(b)) if a == b => {}
                (Some(_), Some(_)) => {
                    self.words.entry(place.clone()).or_default().insert(ALL);
                }
                (None, _) | (_, None) => {
                    self.places.insert(place.clone());
                }
            }
        }
    }

    /// The aspects that something unstable is in.
    pub fn aspects(&self) -> BTreeSet<Aspect> {
        self.words.keys().chain(&self.places).map(|place| place.aspect.clone()).collect()
    }

    /// Whether keys of this map, or the number of its records, are other ones in other runs.
    fn unstable_items(&self, aspect: &Aspect) -> bool {
        self.places.iter().any(|place| place.aspect == *aspect)
    }

    fn word(&self, place: &Place, word: usize) -> bool {
        self.words.get(place).is_some_and(|words| words.contains(&word) || words.contains(&ALL))
    }
}

/// All differences between skep and the kernel beside what is unstable in either of them, by place.
pub fn differences(skep: &Observed, kernel: &Observed, unstable: &Unstable) -> Vec<Difference> {
    if skep == kernel {
        return Vec::new();
    }
    let (ours, theirs) = (places(skep), places(kernel));
    let all: BTreeSet<&Place> = ours.keys().chain(theirs.keys()).collect();
    let mut found = Vec::new();
    for place in all {
        let (a, b) = (ours.get(place), theirs.get(place));
        let offset = match (a, b) {
            (Some(Value::Bytes(a)), Some(Value::Bytes(b))) => {
                if unstable.word(place, ALL) {
                    continue;
                }
                let common = a.0.iter().zip(&b.0).enumerate();
                let mut differ = common.filter(|(at, (a, b))| a != b && !unstable.word(place, at / WORD)).map(|(at, _)| at);
                match differ.next() {
                    Some(at) => Some(at),
                    None if a.0.len() == b.0.len() => continue,
                    None => Some(a.0.len().min(b.0.len())),
                }
            }
            (Some(a), Some(b)) if a == b || unstable.word(place, ALL) => continue,
            (Some(_), Some(_)) => None,
            // Where an engine has other keys each time, no key can be asked for.
            (None, _) | (_, None) if unstable.unstable_items(&place.aspect) => continue,
            (None, _) | (_, None) => None,
        };
        found.push(Difference { place: place.clone(), offset, skep: a.cloned(), kernel: b.cloned() });
    }
    found
}
