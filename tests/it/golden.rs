//! Frozen bytes: a change here loses every entry that is stored.
//!
//! The expected values were made by another implementation (Python, with `hmac`, `zlib` and `cryptography`)
//! from the formats as they are documented in `key.rs`, `stored.rs` and `codec/`.

use std::sync::Arc;

use bytes::Bytes;
use strongroom_host::backend::{Backend, Condition, Memory};
use strongroom_host::{
    Cache, Clock, Config, Flags, Kind, Lifetime, Partition, ScopedCache, StorageKey, Stored, Value,
};

const SECRET: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Where one deployment keeps generation numbers, and two of its entries.
struct Deployment {
    config: Config,
    /// Service "fx"; stack "acme"; session "9f2"; that session's namespace "day"; the stack without a
    /// namespace.
    generations: [&'static str; 5],
    /// "rates" in the session's namespace "day".
    in_session: &'static str,
    /// "€/day" in the stack.
    in_stack: &'static str,
}

fn public() -> Deployment {
    Deployment {
        config: Config::new(),
        generations: [
            ":zZ_XWxwXCp_3V48mzQrNCEm4tpsPLFd0",
            ":I1ZxfkyQgZOhX_KGJl7_apcuTmQ_kxSE",
            ":yb5I62taiUkTMSQ63DFiikptANHnnpRL",
            ":Yrk2lT_4b_cqUcoWicG_hedCHiMDhIIf",
            ":9qgAzcYbkAuC42ip32AEsdVUi-JgdsGc",
        ],
        in_session: ":ShOeXcVkObU5wvU8-YfB0IE3QhNASHnp",
        in_stack: ":CtICteKAaZP0Zy61UqNldqpeTWejtB0p",
    }
}

fn secret() -> Deployment {
    let config = Config::new().prefix("bank/042").and_then(|config| config.key_secret(SECRET));
    Deployment {
        config: config.and_then(|config| config.encryption_key(SECRET)).expect("valid settings"),
        generations: [
            "bank/042:h0cUntInRRuGtYxPpLC6sqisO4Yd2qCG",
            "bank/042:pibw6eYyJDiLoyD-Ywfr1s46XwjwkSU_",
            "bank/042:8gVcxM4vBGIKdIbuy0343Vi-y6LaGIdN",
            "bank/042:RualHi-qSBBy4zH8wppIeilQLSG5GXCK",
            "bank/042:xqjaEVudK2EuJre-619gIqeT4D2Rk4fj",
        ],
        in_session: "bank/042:nuhvj4J6FuZg6NWHtwVIevbM9lakOR0q",
        in_stack: "bank/042:jT65XKPdKYJJ8J7IbP28-aZwqwbRNP3H",
    }
}

fn parse(key: &str) -> StorageKey {
    StorageKey::parse(key).expect("of the right form")
}

async fn put(memory: &Memory, key: &str, flags: Flags, data: &[u8]) {
    let stored = Stored { flags, data: Bytes::copy_from_slice(data) };
    memory.store(&parse(key), stored, Lifetime::UntilEvicted, Condition::Always).await.expect("stored");
}

/// The two caches, in generations 1 to 5.
async fn open(deployment: &Deployment) -> (Arc<Memory>, ScopedCache, ScopedCache) {
    let memory = Arc::new(Memory::new(64 << 20, Clock::system()));
    for (number, key) in (1u64..).zip(deployment.generations) {
        put(&memory, key, Flags(0x0110), &number.to_be_bytes()).await;
    }
    let cache = Cache::with_backend(deployment.config.clone(), memory.clone()).expect("valid settings");
    let stack = Partition::service("fx").and_then(|service| service.stack("acme")).expect("valid");
    let session = cache.open(&stack.session("9f2").expect("valid"), Some("day")).expect("opens");
    (memory, session, cache.open(&stack, None).expect("opens"))
}

#[tokio::test]
async fn storage_keys_are_frozen() {
    for deployment in [public(), secret()] {
        let (_, session, stack) = open(&deployment).await;
        assert_eq!(session.storage_key("rates").await.expect("a key").as_str(), deployment.in_session);
        assert_eq!(stack.storage_key("€/day").await.expect("a key").as_str(), deployment.in_stack);
    }
}

#[tokio::test]
async fn storage_keys_of_issued_sessions_are_frozen() {
    let (memory, session, _) = open(&public()).await;
    put(&memory, ":CQ7X1lsCGbVhkHnRoCg9yjZPiy10c1yH", Flags(0x0110), &4_u64.to_be_bytes()).await;
    let cache = Cache::with_backend(Config::new(), memory).expect("valid settings");
    let login =
        Partition::service("fx").and_then(|service| service.stack("acme")?.session("9f2")?.issued("login 7"));
    let issued = cache.open(&login.expect("valid"), Some("day")).expect("opens");
    let key = issued.storage_key("rates").await.expect("a key");
    assert_eq!(key.as_str(), ":_Nx4_qEGh2a2g0etcLZp8R6ccHCpJgQb");
    assert_ne!(key, session.storage_key("rates").await.expect("a key"));
}

#[tokio::test]
async fn stored_bytes_are_frozen() {
    let deployment = public();
    let (memory, _, stack) = open(&deployment).await;
    let cases: [(Value, u32, &[u8]); 4] = [
        (Value::Bytes(Bytes::from_static(b"\0\xff")), 0x0110, b"\0\xff"),
        (Value::Text("1.0892".to_owned()), 0x0111, b"1.0892"),
        (Value::Json("{}".to_owned()), 0x0112, b"{}"),
        (Value::Integer(-42), 0x0113, b"-42"),
    ];
    for (value, flags, data) in cases {
        stack.set("€/day", value.clone(), None).await.expect("set");
        let found = memory.get(&parse(deployment.in_stack)).await.expect("reachable").expect("stored");
        assert_eq!((found.entry.flags.0, &found.entry.data[..]), (flags, data));
        assert_eq!(stack.get("€/day").await.expect("get"), Some(value));
    }
    assert_eq!(Flags::entry(Kind::Json, 90).encrypted().compressed().0, 90 << 16 | 0x011e);
}

#[tokio::test]
async fn entries_that_another_implementation_encrypted_open() {
    let deployment = secret();
    let (memory, session, _) = open(&deployment).await;
    let header = "8dc310c8000102030405060708090a0b0c0d0e0f1011121314151617";
    let text = format!("{header}6bc63b8b9622bfcd849e33c7a70f36ee28e0a36006bb");
    put(&memory, deployment.in_session, Flags(277), &unhex(&text)).await;
    assert_eq!(session.get("rates").await.expect("get"), Some("1.0892".into()));

    let compressed = format!(
        "{header}5ae80cbbd711dd4919941821ade846aa368479af66bf9dfe8cabec9c9d13025bde4d671fc5c9e72f5c4e3ad596ad66fbf3aeaa99"
    );
    put(&memory, deployment.in_session, Flags(285), &unhex(&compressed)).await;
    assert_eq!(session.get("rates").await.expect("get"), Some("rates ".repeat(300).as_str().into()));
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}
