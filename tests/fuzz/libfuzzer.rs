//! libFuzzer's way in: it brings `main`, and calls the target that the environment names.

use std::sync::OnceLock;

use crate::Target;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        let name = std::env::var("STRONGROOM_FUZZ_TARGET").unwrap_or_default();
        let target = Target::of_name(&name).expect("`cargo xtask fuzz` names a target that there is");
        TARGET.set(target).unwrap_or_else(|_| panic!("it is set once"));
    },
    |input: &[u8]| TARGET.get().expect("it was set at the start").run(input)
);
