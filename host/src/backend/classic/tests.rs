//! The traps of the client library and its protocol, each with a server that sets it.
