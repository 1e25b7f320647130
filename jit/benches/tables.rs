//! Tables: what compiling costs as programs grow, and how fast the code is beside the kernel's. `cargo bench -p skep-jit`

#[path = "tables/cost.rs"]
mod cost;
#[path = "../tests/code/random.rs"]
mod random;
#[path = "../tests/common/run.rs"]
mod run;
#[path = "tables/speed.rs"]
mod speed;
#[path = "../tests/code/typical.rs"]
mod typical;

fn main() {
    // `cargo test --benches` only asks whether it starts.
    if std::env::args().any(|argument| argument == "--bench") {
        cost::print();
        speed::print();
    }
}
