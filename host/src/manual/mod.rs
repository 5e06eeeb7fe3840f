//! What to know that no single item says: prose only, with the tests that hold it to account.

pub mod cryptography;
