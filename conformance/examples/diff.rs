//! Runs the programs of an object in skep and in the kernel of this host, and says where they differ.
//!
//! `cargo run --release -p skep-conformance --example diff -- OBJECT [INPUTS [PROGRAM]]`

use std::error::Error;

use skep_conformance::diff::{self, Inputs, Options};
use skep_object::Object;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("which object?")?;
    let object = Object::open(&path, &Default::default())?;
    let mut options = Options::new(skep::host()?);
    if let Some(count) = args.next() {
        options.inputs = Inputs::Generated { count: count.parse()?, seed: 0 };
    }
    options.programs = args.collect();
    println!("{}", diff::object(&object, &options));
    Ok(())
}
