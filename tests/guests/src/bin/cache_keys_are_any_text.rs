//! Keys of any characters work, stay apart, and none of them is read as a command.

use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let mut keys: Vec<String> = [
        " ",
        "a b",
        "a\r\nflush_all\r\n",
        "a\0b",
        "\u{7f}",
        "é",
        "e\u{301}",
        "🦀",
        "a",
        "A",
        "../a",
        "%61",
        "a:",
        ":a",
        "x 0 0 1 noreply\r\na\r\ndelete a noreply\r\nset y",
        "get",
        "bank:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ]
    .map(str::to_owned)
    .into();
    keys.extend([249, 250, 251, 1023, 1024].map(|length| "k".repeat(length)));
    keys.extend((0..32u8).map(|control| char::from(control).to_string()));
    for key in &keys {
        cache.set(key, key, Ttl::minutes(1)).expect("set");
    }
    for key in &keys {
        assert_eq!(cache.get::<String>(key).expect("get").as_ref(), Some(key));
    }
    assert_eq!(cache.get_many::<String>(&keys).expect("get_many").iter().flatten().count(), keys.len());
}
