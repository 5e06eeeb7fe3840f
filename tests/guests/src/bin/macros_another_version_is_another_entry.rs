//! Counting the version up leaves behind what the older one stored, with and without a key of one's own.

mod old {
    use strongroom::cached;

    #[cached(timeout = 600, key = "rate:{day}", version = 1)]
    pub(crate) fn rate(day: u32) -> String {
        format!("old {day}")
    }
}

mod new {
    use strongroom::cached;

    #[cached(timeout = 600, key = "rate:{day}", version = 2)]
    pub(crate) fn rate(day: u32) -> String {
        format!("new {day}")
    }

    #[cached(timeout = 600, key = "rate:{day}", version = 1)]
    pub(crate) fn of_the_old_version(day: u32) -> String {
        format!("newer {day}")
    }
}

#[strongroom::cached(timeout = 600, scope = stack, version = 2)]
fn default_key() -> u32 {
    1
}

fn main() {
    assert_eq!(old::rate(1), "old 1");
    assert_eq!(new::rate(1), "new 1");
    assert_eq!((old::rate(1), new::rate(1)), ("old 1".to_owned(), "new 1".to_owned()));
    assert_eq!(new::of_the_old_version(1), "old 1");

    assert_eq!(default_key(), 1);
    let key = "macros_another_version_is_another_entry::default_key@2()";
    let stored = strongroom::stack_cache().expect("a stack").get::<u32>(key);
    assert_eq!(stored, Ok(Some(1)));
}
