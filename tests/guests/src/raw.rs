//! The cache without the SDK, for guests that ask for what the SDK keeps them from: the generated functions.

#![allow(dead_code, missing_docs, reason = "generated code, of which each guest uses a part")]

wit_bindgen::generate!({ path: "../../wit", world: "extension" });
