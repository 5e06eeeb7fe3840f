//! Imports the service scope, which needs a grant.

use strongroom::{Ttl, service_cache};

fn main() {
    match service_cache() {
        Ok(cache) => {
            let seen: Option<String> = cache.get("key").expect("get");
            cache.set("key", "shared", Ttl::minutes(1)).expect("set");
            println!("{}", seen.unwrap_or_else(|| "miss".to_owned()));
        }
        Err(error) => println!("{error:?}"),
    }
}
