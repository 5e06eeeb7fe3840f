//! The bindings generated from `wit/`, and nothing else.

wit_bindgen::generate!({
    path: "wit",
    world: "extension",
    // Keys and values are lent to the host, not copied into owned parameters first.
    ownership: Borrowing { duplicate_if_necessary: true },
});
