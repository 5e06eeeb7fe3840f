//! It can't be a part of the key, unless it is skipped.

use strongroom::cached;

struct Client;

#[cached(timeout = 600)]
fn rate(client: &Client, currency: String) -> usize {
    let _ = client;
    currency.len()
}

#[cached(timeout = 600, skip(client))]
fn skipped(client: &Client, currency: String) -> usize {
    let _ = client;
    currency.len()
}

fn main() {
    rate(&Client, String::new());
    skipped(&Client, String::new());
}
