//! With `key` the entry has exactly that key, for other code to use; without, it is the path and the
//! arguments.

use strongroom::{Ttl, cached, stack_cache};

#[derive(Clone, Copy)]
struct Account {
    id: u32,
    branch: (u8, &'static str),
}

#[cached(timeout = 600, scope = stack, key = "rate:{currency}")]
fn rate(currency: &str) -> u32 {
    currency.len() as u32
}

#[cached(timeout = 600, scope = stack, key = "{{balance}} {account.id:04}/{account.branch.1}", version = 3)]
fn balance(account: Account) -> u8 {
    account.branch.0
}

#[cached(timeout = 600, scope = stack)]
fn plain(currency: &str, day: Option<u32>) -> u32 {
    currency.len() as u32 + day.unwrap_or_default()
}

fn main() {
    let cache = stack_cache().expect("a stack");
    assert_eq!(rate("USD"), 3);
    assert_eq!(cache.get::<u32>("rate:USD").expect("get"), Some(3));
    cache.set("rate:USD", &9, Ttl::minutes(1)).expect("set");
    assert_eq!(rate("USD"), 9);
    assert!(cache.delete("rate:USD").expect("delete"));
    assert_eq!(rate("USD"), 3);

    assert_eq!(balance(Account { id: 7, branch: (5, "b") }), 5);
    assert_eq!(cache.get::<u8>("{balance} 0007/b@3").expect("get"), Some(5));

    assert_eq!(plain("USD", Some(1)), 4);
    let key = r#"macros_a_key_of_ones_own::plain("USD",some(1))"#;
    assert_eq!(cache.get::<u32>(key).expect("get"), Some(4));
}
