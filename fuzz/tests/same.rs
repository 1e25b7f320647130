//! Cases can be made again.

use skep_fuzz::{Driver, NAMES, Sources, subject};

#[test]
fn a_case_is_the_same_every_time() {
    let sources = Sources::standard();
    for name in NAMES {
        let subject = subject(name, &sources).unwrap();
        let driver = Driver::new(name, subject.as_ref(), 3);
        assert_eq!(driver.input(11), driver.input(11));
        assert_ne!(driver.input(11), driver.input(12));
    }
}
